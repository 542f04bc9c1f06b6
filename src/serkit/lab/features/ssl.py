"""Frames of a pretrained encoder that stays as it is: computed once, kept in the store, and trained upon in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from serkit.lab.encoders import Checkpoint, load_encoder, open_checkpoint
from serkit.lab.features.front import Front, Kind
from serkit.lab.features.masking import frame_mask, masked_mean_and_deviation
from serkit.lab.features.spectrum import is_exporting
from serkit.lab.settings import require
from serkit.types import FloatArray

_VARIANCE_FLOOR = 1e-7  # as transformers' preprocessor has it


@dataclass(frozen=True)
class SslConfig:
    """Settings of :class:`Ssl`.

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


class Ssl(Front):
    """Hidden states of a frozen encoder, as transformers gives them for an utterance that is alone.

    Utterances of different lengths go through one after the other where padding would change them, which is so for
    encoders with a group norm (the base sizes of wav2vec2, HuBERT and WavLM), even with an attention mask. A model
    file of such an encoder says so on its card.

    Source: A. Baevski et al., wav2vec 2.0, NeurIPS 2020, and its successors; the code is transformers'.
    """

    def __init__(self, config: SslConfig) -> None:
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
    def checkpoint(self) -> Checkpoint:
        """What is known of the encoder."""
        return open_checkpoint(self.config.model, self.config.revision)

    @property
    def version(self) -> str:  # type: ignore[override]
        """A digest of the encoder's files, so that another one's rows are never taken for its own."""
        return self.checkpoint.digest

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether padding changes what comes out in a model file."""
        return not self.checkpoint.is_padding_blind

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features.

        Args:
            waveform: Shape (B, T).
            lengths: Valid samples, shape (B,).

        Returns:
            Features (B, F, N), zero behind each utterance's end, and their valid lengths (B,).
        """
        if is_exporting() or len(waveform) == 1:
            return self._pooled(*self._encode(waveform, lengths))
        rows = [self._encode(waveform[i : i + 1, : int(n)], lengths[i : i + 1]) for i, n in enumerate(lengths)]
        counts = torch.cat([count for _, count in rows])
        padded = torch.nn.utils.rnn.pad_sequence([states[0] for states, _ in rows], batch_first=True)
        return self._pooled(padded, counts)

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms, each by itself."""
        found = []
        for samples in waveforms:
            features, _ = self(torch.from_numpy(samples.copy())[None], torch.tensor([len(samples)]))
            found.append(features[0].T.numpy())
        return found

    def _encode(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden states (B, N, D) and their valid lengths (B,)."""
        encoder: Any = load_encoder(self.config.model, self.config.revision)
        mask = frame_mask(lengths, waveform.shape[1])
        if self.checkpoint.is_normalised:
            waveform = _standardised(waveform, mask.to(waveform.dtype))
        given = {"attention_mask": mask.long()} if self.checkpoint.is_padding_blind else {}
        output = encoder(waveform, output_hidden_states=True, **given)
        return output.hidden_states[self.config.layer], encoder._get_feat_extract_output_lengths(lengths)

    def _pooled(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        states = states.transpose(1, 2)  # (B, D, N)
        mask = frame_mask(lengths, states.shape[2])[:, None].to(states.dtype)
        states = states * mask
        if self.kind == "frames":
            return states, lengths
        mean, deviation = masked_mean_and_deviation(states, mask, (2,), 0.0)
        parts = [mean, deviation] if self.config.pooling == "statistics" else [mean]
        return torch.cat(parts, dim=1), torch.ones_like(lengths)


def _standardised(waveform: Tensor, mask: Tensor) -> Tensor:
    """Bring each utterance to mean 0 and variance 1 over its valid samples, as transformers' preprocessor does."""
    count = mask.sum(1, keepdim=True)
    mean = (waveform * mask).sum(1, keepdim=True) / count
    variance = (((waveform - mean) * mask) ** 2).sum(1, keepdim=True) / count
    return (waveform - mean) / (variance + _VARIANCE_FLOOR).sqrt() * mask
