"""Hidden states of a frozen pretrained encoder, computed once and kept in the feature store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from serkit.lab.encoders.pretrained_checkpoint import (
    LONGEST_WINDOW,
    PretrainedCheckpoint,
    code_version,
    open_checkpoint,
)
from serkit.lab.encoders.waveform_encoder import Encoder, frozen_encoder
from serkit.lab.features.front import Front, Kind
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation
from serkit.types import FloatArray


@dataclass(frozen=True)
class FrozenEncoderConfig:
    """Settings of :class:`FrozenEncoder`.

    Attributes:
        sampling_rate: Sampling rate of the encoder in Hz, 16,000 for all supported encoders.
        model: Folder of the encoder, or its name on the Hugging Face hub.
        revision: Revision on the hub; empty for the newest.
        layer: Index of the hidden states: 0 is the input of the first transformer layer, -1 the output of the last,
            with the layer norm that follows it, if any.
        pooling: ``none``: frames; ``mean``: their mean; ``statistics``: their mean and deviation.
    """

    sampling_rate: int = 16_000
    model: str = ""
    revision: str = ""
    layer: int = -1
    pooling: Literal["none", "mean", "statistics"] = "none"

    def __post_init__(self) -> None:
        require(self, pooling=self.pooling in ("none", "mean", "statistics"))


class FrozenEncoder(Front):
    """Hidden states of a frozen encoder, equal to those that transformers computes for each utterance alone.

    The card of a model file says whether padding changes the result of its encoder; see
    :mod:`serkit.lab.encoders.waveform_encoder`.

    Source: A. Baevski et al., wav2vec 2.0, NeurIPS 2020, and its successors, as implemented in transformers.
    """

    maximum_duration = LONGEST_WINDOW

    def __init__(self, config: FrozenEncoderConfig) -> None:
        super().__init__()
        self.config = config
        checkpoint = self.checkpoint
        require(
            config,
            sampling_rate=config.sampling_rate == checkpoint.sampling_rate,
            layer=-checkpoint.layers - 1 <= config.layer <= checkpoint.layers,
        )
        self.kind: Kind = "frames" if config.pooling == "none" else "vector"
        self.size = checkpoint.size * (2 if config.pooling == "statistics" else 1)

    @property
    def checkpoint(self) -> PretrainedCheckpoint:
        """Checkpoint of the encoder."""
        return open_checkpoint(self.config.model, self.config.revision)

    @property
    def version(self) -> str:  # type: ignore[override]
        """Versions of the encoder's files, of transformers and of the code between, which identify stored features."""
        return f"{self.checkpoint.digest} {code_version()}"

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether padding would change the result of the exported encoder."""
        return not self.checkpoint.is_padding_blind

    @property
    def weights(self) -> int:
        """Number of weights of the encoder, which is no submodule, so that training cannot change it."""
        return sum(weight.numel() for weight in self._encoder.parameters())

    @property
    def _encoder(self) -> Encoder:
        return frozen_encoder(self.config.model, self.config.revision)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        states, counts = self._encoder(waveform, lengths)
        return self._pooled(states[self.config.layer], counts)

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms, one at a time; see :class:`Front`."""
        found = []
        for samples in waveforms:
            features, _ = self(torch.from_numpy(samples.copy())[None], torch.tensor([len(samples)]))
            found.append(features[0].T.numpy())
        return found

    def _pooled(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        states = states.transpose(1, 2)  # (B, D, N)
        mask = frame_mask(lengths, states.shape[2])[:, None].to(states.dtype)
        states = states * mask
        if self.kind == "frames":
            return states, lengths
        mean, deviation = masked_mean_and_deviation(states, mask, (2,), 0.0)
        parts = [mean, deviation] if self.config.pooling == "statistics" else [mean]
        return torch.cat(parts, dim=1), torch.ones_like(lengths)
