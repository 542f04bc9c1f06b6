"""The three ways in which co-attention hears a segment of sound: cepstra, a picture, and an encoder's frames."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.encoders.waveform_encoder import open_encoder
from serkit.lab.features.front import Front
from serkit.lab.features.logmel import LogMel, LogMelConfig
from serkit.lab.features.mfcc import Mfcc, MfccConfig
from serkit.lab.features.spectrogram_image import SpectrogramImage, SpectrogramImageConfig
from serkit.lab.models.blocks.recurrence import Recurrent
from serkit.lab.models.crnn import AttentiveStatistics, CrnnConfig, Trunk
from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation

_DEVIATION_FLOOR = 1e-4  # of a variance: an even picture becomes 0
_BAND_SHARE, _FRAME_SHARE = 1 / 8, 1 / 10  # of the rows and of the valid frames, what one mask covers at most


class Cepstra(nn.Module):
    """MFCC and a bidirectional LSTM, segments (M, T) to (M, size).

    Each coefficient has mean 0 and deviation 1 over the segment's own frames.

    Args:
        sampling_rate: In Hz.
        units: Of each direction of the LSTM.
        layers: Of the LSTM.
        masks: See :class:`StreamMasks`.
        dropout: Between its layers.
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
        """Hear segments of ``lengths`` valid samples."""
        x, frames = heard_by(self.front, segments, lengths)
        x = self.masks(x, frames)
        for i, layer in enumerate(self.layers):
            x = layer(self.dropout(x) if i else x, frames)  # (M, 2 * units, N)
        mask = frame_mask(frames, x.shape[2])[:, None, :].to(x.dtype)
        pooled: Tensor = self.pool(x, mask)
        return pooled


class Picture(nn.Module):
    """A spectrogram as a picture and what looks at it, segments (M, T) to (M, size).

    A picture is always of a whole segment, so that time has one scale. Each row has mean 0 over the sound, for what is
    left else tells more of the speaker and the room, and the whole has deviation 1; behind the end it is 0.

    Args:
        sampling_rate: In Hz.
        samples: Of a whole segment.
        side: Height and width of the picture.
        network: From pictures (M, 1, side, side) to (M, size).
        masks: See :class:`StreamMasks`.
    """

    def __init__(self, sampling_rate: int, samples: int, side: int, network: Any, *, masks: int) -> None:
        super().__init__()
        self.front = SpectrogramImage(SpectrogramImageConfig(sampling_rate, side=side))
        self.samples = samples
        self.masks = StreamMasks(masks)
        self.network = network
        self.size: int = network.size

    def forward(self, segments: Tensor, lengths: Tensor) -> Tensor:
        """Hear segments of ``lengths`` valid samples."""
        whole = torch.full_like(lengths, self.samples)
        picture, columns = heard_by(self.front, padded(segments, self.samples), whole)  # (M, side, side)
        heard = (lengths * picture.shape[2] + self.samples - 1) // self.samples
        mask = frame_mask(heard, picture.shape[2])[:, None, :].to(picture.dtype)
        mean, _ = masked_mean_and_deviation(picture, mask, (2,), 0.0)
        centered = (picture - mean) * mask
        _, deviation = masked_mean_and_deviation(centered, mask, (1, 2), _DEVIATION_FLOOR)
        seen: Tensor = self.network(self.masks(centered / deviation, columns)[:, None])
        return seen


class OwnFrames(nn.Module):
    """A log-mel and the convolutions of ``crnn``, from scratch: segments (M, T) to frames (M, size, N).

    Args:
        sampling_rate: In Hz.
        config: Of the convolutions.
        masks: See :class:`StreamMasks`.
    """

    def __init__(self, sampling_rate: int, config: CrnnConfig, *, masks: int) -> None:
        super().__init__()
        n_fft = 1 << (round(sampling_rate * 0.025) - 1).bit_length()  # the power of two that holds the window
        self.front = LogMel(LogMelConfig(sampling_rate, n_fft=n_fft, normalize="band"))
        self.masks = StreamMasks(masks)
        self.trunk = Trunk(self.front.size, config)
        self.size = config.channels

    def forward(self, segments: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames, zero behind a segment's end, and their valid number (M,)."""
        x, frames = heard_by(self.front, segments, lengths)
        read: tuple[Tensor, Tensor] = self.trunk(self.masks(x, frames), frames)
        return read


class PretrainedFrames(nn.Module):
    """Hidden states of an encoder of transformers, segments (M, T) to frames (M, size, N).

    An encoder hears each segment as long as a whole one, with silence behind the sound's end, as in the paper: so
    none is too short for it. Where padding would change what it gives, that silence is heard, and all are as long: so
    none depends on the others of its batch, and a model file needs no equal lengths.

    Args:
        model: A folder, or a name on the Hugging Face hub.
        revision: Of a hub name.
        layer: Which hidden states.
        samples: Of a whole segment.
        is_frozen: Whether the encoder stays as it is.
        has_weights: Whether the checkpoint's are read.
    """

    def __init__(
        self, model: str, revision: str, *, layer: int, samples: int, is_frozen: bool, has_weights: bool
    ) -> None:
        super().__init__()
        self.encoder = open_encoder(model, revision, has_weights=has_weights)
        self.layer, self.samples, self.is_frozen = layer, samples, is_frozen
        self.size = self.encoder.size
        for name, weight in self.encoder.named_parameters():  # a table of positions that is fixed stays fixed
            weight.requires_grad_(weight.requires_grad and not is_frozen and "masked_spec_embed" not in name)

    def train(self, mode: bool = True) -> "PretrainedFrames":
        """Switch to training or evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        if self.is_frozen:
            self.encoder.eval()
        return self

    def forward(self, segments: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames, zero behind a segment's end, and their valid number (M,)."""
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
    """In training, stripes of rows and of frames set to zero, drawn for each segment from torch's generator.

    Args:
        count: How many of each.

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
    """Return False (M, size) in a stripe of at most this share of each length, else True."""
    drawn = torch.rand(2, len(lengths), device=lengths.device)
    width = (drawn[0] * (share * lengths + 1)).floor()
    first = (drawn[1] * (lengths - width + 1)).floor()
    position = torch.arange(size, device=lengths.device)[None, :]
    return (position < first[:, None]) | (position >= (first + width)[:, None])


def heard_by(front: Front, segments: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Apply a front end in full precision, whatever the training's is."""
    with torch.autocast(segments.device.type, enabled=False):
        features: tuple[Tensor, Tensor] = front(segments, lengths)
    return features


def padded(segments: Tensor, samples: int) -> Tensor:
    """Append silence to (M, T) until there are so many samples."""
    return functional.pad(segments, (0, samples - segments.shape[1]))
