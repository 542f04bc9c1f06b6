"""Operations on padded batches whose result for an utterance is the same as without padding."""

import torch
from torch import Tensor


def frame_mask(lengths: Tensor, size: int) -> Tensor:
    """Return a mask of valid frames (B, N), bool.

    Args:
        lengths: Number of valid frames of each utterance (B,).
        size: Padded length N.
    """
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


def without_offset(waveform: Tensor, lengths: Tensor) -> Tensor:
    """Subtract from each waveform its mean over the valid samples.

    The mean of what is left is subtracted again: in float32, the first mean of a long waveform is not exact.

    Args:
        waveform: Waveforms (B, T); samples after an utterance's end are ignored.
        lengths: Number of valid samples (B,).

    Returns:
        Waveforms (B, T), zero after each utterance's end.
    """
    mask = frame_mask(lengths, waveform.shape[1])
    count = lengths[:, None].clamp(min=1).to(waveform.dtype)
    for _ in range(2):
        waveform = torch.where(mask, waveform, 0.0)
        waveform = waveform - waveform.sum(1, keepdim=True) / count
    return torch.where(mask, waveform, 0.0)


def masked_mean_and_deviation(x: Tensor, mask: Tensor, dim: tuple[int, ...], floor: float) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation over valid frames.

    Args:
        x: Values (B, F, N).
        mask: Mask (B, 1, N), 1.0 where a frame is valid.
        dim: Dimensions to average over, including the last one.
        floor: Constant added to the variance, so that dividing by the deviation of silence stays finite.
    """
    count = mask.expand_as(x).sum(dim, keepdim=True).clamp(min=1.0)
    mean = (x * mask).sum(dim, keepdim=True) / count
    variance = ((x - mean).square() * mask).sum(dim, keepdim=True) / count
    return mean, (variance + floor).sqrt()


def trim_silence(features: Tensor, lengths: Tensor, level: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Cut leading and trailing frames whose level is far below the utterance's loudest frame.

    The remaining frames move to the front, and the tail is filled with zeros. So no shape depends on the data, and the
    operation can be exported.

    Args:
        features: Features (B, F, N).
        lengths: Number of valid frames (B,).
        level: Level of each frame (B, N).
        threshold: Level difference to the loudest frame beyond which a frame is silent, in the unit of ``level``.

    Returns:
        Features (B, F, N) and their valid lengths (B,).
    """
    first, last = audible_range(level, lengths, threshold)
    return keep_columns(features, first, last - first + 1)


def audible_range(level: Tensor, lengths: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the first and the last frame, each (B,), whose level is near the utterance's loudest frame.

    Args:
        level: Level of each frame (B, N).
        lengths: Number of valid frames (B,).
        threshold: Largest level difference to the loudest frame, in the unit of ``level``.
    """
    size = level.shape[1]
    mask = frame_mask(lengths, size)
    level = level.masked_fill(~mask, -torch.inf)
    active = ((level >= level.amax(1, keepdim=True) - threshold) & mask).to(torch.int64)  # (B, N)
    position = torch.arange(size, device=level.device)[None, :]
    return size - 1 - (active * (size - 1 - position)).amax(1), (active * position).amax(1)


def keep_columns(features: Tensor, first: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Move some columns of each utterance to the front and fill the rest with zeros.

    Args:
        features: Features (B, F, N).
        first: Index of the first column to keep (B,).
        kept: Number of columns to keep (B,).

    Returns:
        Features (B, F, N) and their valid lengths (B,).
    """
    size = features.shape[-1]
    position = torch.arange(size, device=features.device)[None, :]
    index = (position + first[:, None]).clamp(max=size - 1)[:, None, :].expand_as(features)
    return features.gather(2, index) * frame_mask(kept, size)[:, None, :], kept
