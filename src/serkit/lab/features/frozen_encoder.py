"""Frames of a pretrained encoder that stays as it is: computed once, kept in the store, and trained upon in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from serkit.lab.encoders.pretrained_checkpoint import PretrainedCheckpoint, code_version, open_checkpoint
from serkit.lab.encoders.waveform_encoder import Encoder, frozen_encoder
from serkit.lab.features.front import Front, Kind
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation
from serkit.types import FloatArray


@dataclass(frozen=True)
class FrozenEncoderConfig:
    """Settings of :class:`FrozenEncoder`.

    Attributes:
        sampling_rate: In Hz; the encoder's, which is 16,000 for all that there are.
        model: A folder, or a name on the Hugging Face hub.
        revision: Of a hub name; empty for the newest.
        layer: Which hidden states: 0 is what enters the first transformer layer, -1 what leaves the last.
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
    """Hidden states of a frozen encoder, as transformers gives them for an utterance that is alone.

    The card of a model file says whether padding would change its encoder: :mod:`serkit.lab.encoders.waveform_encoder`.

    Source: A. Baevski et al., wav2vec 2.0, NeurIPS 2020, and its successors; the code is transformers'.
    """

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
        """What is known of the encoder."""
        return open_checkpoint(self.config.model, self.config.revision)

    @property
    def version(self) -> str:  # type: ignore[override]
        """Of the encoder's files, transformers and the code in between: rows of others are never taken for its own."""
        return f"{self.checkpoint.digest} {code_version()}"

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether padding changes what comes out in a model file."""
        return not self.checkpoint.is_padding_blind

    @property
    def weights(self) -> int:
        """Of the encoder, which stands beside this module and not in it, since no training may reach it."""
        return sum(weight.numel() for weight in self._encoder.parameters())

    @property
    def _encoder(self) -> Encoder:
        return frozen_encoder(self.config.model, self.config.revision)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features.

        Args:
            waveform: Shape (B, T).
            lengths: Valid samples, shape (B,).

        Returns:
            Features (B, F, N), zero behind each utterance's end, and their valid lengths (B,).
        """
        states, counts = self._encoder(waveform, lengths)
        return self._pooled(states[self.config.layer], counts)

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms, each by itself."""
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
