"""The contract of every model: a front end and a body, with a seam between them."""

from typing import NamedTuple

from torch import Tensor, nn

from serkit.lab.features import LogMel


class Output(NamedTuple):
    """What a body gives: logits (B, C) and an utterance embedding (B, D)."""

    logits: Tensor
    embedding: Tensor


class Model(nn.Module):
    """``front``: (waveform, lengths) to (features, feature_lengths); ``body``: those to :class:`Output`.

    Training may feed ``body`` from stored features; an exported file holds both.
    """

    def __init__(self, front: LogMel, body: nn.Module) -> None:
        super().__init__()
        self.front: LogMel = front
        self.body = body

    def forward(self, waveform: Tensor, lengths: Tensor) -> Output:
        """Waveform (B, T) and valid lengths (B,) to logits and embedding."""
        features, feature_lengths = self.front(waveform, lengths)
        output = self.body(features, feature_lengths)
        assert isinstance(output, Output)
        return output
