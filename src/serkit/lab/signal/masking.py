"""Operations on padded batches of frames that give each utterance what it would get alone."""

import torch
from torch import Tensor


def frame_mask(lengths: Tensor, size: int) -> Tensor:
    """Return a mask of valid frames, shape (B, N), bool.

    Args:
        lengths: Valid frames per utterance, shape (B,).
        size: N, the padded length.
    """
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


def masked_mean_and_deviation(x: Tensor, mask: Tensor, dim: tuple[int, ...], floor: float) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over valid frames.

    Args:
        x: Shape (B, F, N).
        mask: Shape (B, 1, N), 1.0 where a frame is valid.
        dim: The dimensions that are averaged over, the last among them.
        floor: Added to the variance, so that silence stays finite.
    """
    count = mask.expand_as(x).sum(dim, keepdim=True).clamp(min=1.0)
    mean = (x * mask).sum(dim, keepdim=True) / count
    variance = ((x - mean).square() * mask).sum(dim, keepdim=True) / count
    return mean, (variance + floor).sqrt()


def trim_silence(features: Tensor, lengths: Tensor, level: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Cut leading and trailing frames that are far below the utterance's loudest one.

    The rest is moved to the front and the tail is filled with zeros, so that no shape depends on the
    data, which is what lets it stand in an exported graph.

    Args:
        features: Shape (B, F, N).
        lengths: Valid frames, shape (B,).
        level: Loudness of each frame in the unit of ``threshold``, shape (B, N).
        threshold: How far below the loudest frame counts as silence.

    Returns:
        Features (B, F, N) and their valid lengths (B,).
    """
    first, last = sounding(level, lengths, threshold)
    return cut(features, first, last - first + 1)


def sounding(level: Tensor, lengths: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the first and the last frame (B,) that is at most ``threshold`` below the utterance's loudest one.

    Args:
        level: Loudness of each frame, shape (B, N).
        lengths: Valid frames, shape (B,).
        threshold: In the unit of ``level``.
    """
    size = level.shape[1]
    mask = frame_mask(lengths, size)
    level = level.masked_fill(~mask, -torch.inf)
    active = ((level >= level.amax(1, keepdim=True) - threshold) & mask).to(torch.int64)  # (B, N)
    position = torch.arange(size, device=level.device)[None, :]
    return size - 1 - (active * (size - 1 - position)).amax(1), (active * position).amax(1)


def cut(features: Tensor, first: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Move ``kept`` (B,) columns of (B, F, N), from ``first`` (B,) on, to the front; the rest is zero.

    Returns:
        Features (B, F, N) and their valid lengths (B,).
    """
    size = features.shape[-1]
    position = torch.arange(size, device=features.device)[None, :]
    index = (position + first[:, None]).clamp(max=size - 1)[:, None, :].expand_as(features)
    return features.gather(2, index) * frame_mask(kept, size)[:, None, :], kept
