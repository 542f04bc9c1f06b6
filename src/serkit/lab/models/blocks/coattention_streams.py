"""The streams of ``coattention``, each from segments of a waveform: MFCC, a spectrogram picture, encoder frames."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.encoders.waveform_encoder import open_encoder
from serkit.lab.features.front import Front
from serkit.lab.features.logmel import LogMel, LogMelConfig
from serkit.lab.features.mfcc import Mfcc, MfccConfig
from serkit.lab.features.spectrogram_image import SpectrogramImage, SpectrogramImageConfig
from serkit.lab.models.blocks.attentive_pooling import AttentiveStatistics
from serkit.lab.models.blocks.dilated_convolutions import DilatedConvolutions
from serkit.lab.models.blocks.recurrence import Recurrent
from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation

_VARIANCE_FLOOR = 1e-4  # a uniform picture becomes 0
_BAND_SHARE, _FRAME_SHARE = 1 / 8, 1 / 10  # largest share of the rows, and of the valid frames, that one mask covers


class Cepstra(nn.Module):
    """MFCC and a bidirectional LSTM: segments (M, T) to vectors (M, size).

    Each coefficient is normalized to mean 0 and deviation 1 over the segment's frames.

    Args:
        sampling_rate: Sampling rate in Hz.
        units: Units of the LSTM in each direction.
        layers: Number of LSTM layers.
        masks: Number of masks; see :class:`StreamMasks`.
        dropout: Dropout rate between the LSTM layers.
    """

    def __init__(self, sampling_rate: int, *, units: int, layers: int, masks: int, dropout: float) -> None:
        super().__init__()
        self.front = Mfcc(MfccConfig(sampling_rate, normalize="deviation"))
        self.masks = StreamMasks(masks)
        self.layers = nn.ModuleList(
            Recurrent(2 * units if i else self.front.size, units, "lstm") for i in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.pool = AttentiveStatistics(2 * units)
        self.size = 4 * units

    def forward(self, segments: Tensor, lengths: Tensor) -> Tensor:
        """Read segments of ``lengths`` valid samples."""
        x, frames = compute_features(self.front, segments, lengths)
        x = self.masks(x, frames)
        for i, layer in enumerate(self.layers):
            x = layer(self.dropout(x) if i else x, frames)  # (M, 2 * units, N)
        mask = frame_mask(frames, x.shape[2])[:, None, :].to(x.dtype)
        pooled: Tensor = self.pool(x, mask)
        return pooled


class Picture(nn.Module):
    """A spectrogram picture and a network that reads it: segments (M, T) to vectors (M, size).

    A picture always covers a whole segment, so that time has one scale. Each row is centered over the valid columns,
    because a row's mean tells more about the speaker and the room than about the emotion. The picture as a whole has
    deviation 1, and its padding is 0.

    Args:
        sampling_rate: Sampling rate in Hz.
        samples: Samples of a whole segment.
        side: Height and width of the picture.
        network: Network from pictures (M, 1, side, side) to (M, size).
        masks: Number of masks; see :class:`StreamMasks`.
    """

    def __init__(self, sampling_rate: int, samples: int, side: int, network: Any, *, masks: int) -> None:
        super().__init__()
        self.front = SpectrogramImage(SpectrogramImageConfig(sampling_rate, side=side))
        self.samples = samples
        self.masks = StreamMasks(masks)
        self.network = network
        self.size: int = network.size

    def forward(self, segments: Tensor, lengths: Tensor) -> Tensor:
        """Read segments of ``lengths`` valid samples."""
        whole = torch.full_like(lengths, self.samples)
        picture, columns = compute_features(self.front, padded(segments, self.samples), whole)  # (M, side, side)
        valid = (lengths * picture.shape[2] + self.samples - 1) // self.samples
        mask = frame_mask(valid, picture.shape[2])[:, None, :].to(picture.dtype)
        mean, _ = masked_mean_and_deviation(picture, mask, (2,), 0.0)
        centered = (picture - mean) * mask
        _, deviation = masked_mean_and_deviation(centered, mask, (1, 2), _VARIANCE_FLOOR)
        seen: Tensor = self.network(self.masks(centered / deviation, columns)[:, None])
        return seen


class OwnFrames(nn.Module):
    """Log-mel and the convolutions of ``crnn``, trained from scratch: segments (M, T) to frames (M, size, N).

    Args:
        sampling_rate: Sampling rate in Hz.
        stem: Channels of the 2-D convolutions.
        halvings: Number of 2-D convolutions that halve the frame rate.
        channels: Channels of the 1-D convolutions.
        dilations: Dilation of each residual block.
        masks: Number of masks; see :class:`StreamMasks`.
    """

    def __init__(
        self,
        sampling_rate: int,
        *,
        stem: tuple[int, ...],
        halvings: int,
        channels: int,
        dilations: tuple[int, ...],
        masks: int,
    ) -> None:
        super().__init__()
        n_fft = 1 << (round(sampling_rate * 0.025) - 1).bit_length()  # the power of two that holds the window
        self.front = LogMel(LogMelConfig(sampling_rate, n_fft=n_fft, normalize="band"))
        self.masks = StreamMasks(masks)
        self.trunk = DilatedConvolutions(
            self.front.size, stem=stem, halvings=halvings, channels=channels, dilations=dilations
        )
        self.size = channels

    def forward(self, segments: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames, with zeros as padding, and the number of valid ones (M,)."""
        x, frames = compute_features(self.front, segments, lengths)
        read: tuple[Tensor, Tensor] = self.trunk(self.masks(x, frames), frames)
        return read


class PretrainedFrames(nn.Module):
    """Hidden states of a transformers encoder: segments (M, T) to frames (M, size, N).

    Every segment is padded with silence to the length of a whole one, as in the paper, so that none is too short for
    the encoder. Where padding changes an encoder's output, the silence counts as part of the segment. Then all segments
    are equally long, none depends on the rest of its batch, and a model file does not need equal lengths.

    Args:
        model: Folder of a checkpoint, or its name on the Hugging Face hub.
        revision: Branch, tag or commit of a hub name.
        layer: Index of the hidden states.
        samples: Samples of a whole segment.
        is_frozen: Whether the encoder's weights stay fixed.
        has_weights: Whether the checkpoint's weights are read.
    """

    def __init__(
        self, model: str, revision: str, *, layer: int, samples: int, is_frozen: bool, has_weights: bool
    ) -> None:
        super().__init__()
        self.encoder = open_encoder(model, revision, has_weights=has_weights)
        self.layer, self.samples, self.is_frozen = layer, samples, is_frozen
        self.size = self.encoder.size
        for name, weight in self.encoder.named_parameters():  # a fixed position table stays fixed
            weight.requires_grad_(weight.requires_grad and not is_frozen and "masked_spec_embed" not in name)

    def train(self, mode: bool = True) -> "PretrainedFrames":
        """Set training or evaluation mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.is_frozen:
            self.encoder.eval()
        return self

    def forward(self, segments: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames, with zeros as padding, and the number of valid ones (M,)."""
        whole = padded(segments, self.samples)
        if self.encoder.needs_equal_lengths:
            states, counts = self.encoder(whole, torch.full_like(lengths, self.samples))
            counts = (counts * lengths + self.samples - 1) // self.samples
        else:
            states, counts = self.encoder(whole, lengths)
        counts = counts.clamp(min=1)
        x = states[self.layer].transpose(1, 2)  # (M, D, N)
        return x * frame_mask(counts, x.shape[2])[:, None, :], counts


class StreamMasks(nn.Module):
    """Masks for training: stripes of rows and of frames set to zero, drawn for each segment by torch's generator.

    Args:
        count: Number of stripes of rows, and of frames.

    Source: Park et al., SpecAugment, Interspeech 2019; without its time warping.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Mask features (M, F, N) of ``lengths`` valid frames."""
        if not self.training:
            return x
        rows = torch.full_like(lengths, x.shape[1])
        for _ in range(self.count):
            x = x * _stripe(rows, x.shape[1], _BAND_SHARE)[:, :, None]
            x = x * _stripe(lengths, x.shape[2], _FRAME_SHARE)[:, None, :]
        return x


def _stripe(lengths: Tensor, size: int, share: float) -> Tensor:
    """Return a mask (M, size), False in one random stripe that covers at most ``share`` of each length."""
    drawn = torch.rand(2, len(lengths), device=lengths.device)
    width = (drawn[0] * (share * lengths + 1)).floor()
    first = (drawn[1] * (lengths - width + 1)).floor()
    position = torch.arange(size, device=lengths.device)[None, :]
    return (position < first[:, None]) | (position >= (first + width)[:, None])


def compute_features(front: Front, segments: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Apply a front end in full precision, also in mixed-precision training."""
    with torch.autocast(segments.device.type, enabled=False):
        features: tuple[Tensor, Tensor] = front(segments, lengths)
    return features


def padded(segments: Tensor, samples: int) -> Tensor:
    """Pad segments (M, T) with silence to (M, samples)."""
    return functional.pad(segments, (0, samples - segments.shape[1]))
