"""The contract of every model: a front end and a body, with a seam between them."""

from typing import NamedTuple

from torch import Tensor, nn

from serkit.lab.features import Front


class Output(NamedTuple):
    """What a body gives: logits (B, C) and an utterance embedding (B, D)."""

    logits: Tensor
    embedding: Tensor


class Model(nn.Module):
    """``front``: (waveform, lengths) to (features, feature_lengths); ``body``: those to :class:`Output`.

    Training may feed ``body`` from stored features; an exported file holds both.
    """

    def __init__(self, front: Front, body: nn.Module) -> None:
        super().__init__()
        self.front: Front = front
        self.body = body

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> Output:
        """Waveform (B, T), valid lengths (B,) and where the front end takes it the sex (B,) to logits and embedding."""
        given = (waveform, lengths, sex) if self.front.uses_sex else (waveform, lengths)
        features, feature_lengths = self.front(*given)
        output = self.body(features, feature_lengths)
        assert isinstance(output, Output)
        return output
