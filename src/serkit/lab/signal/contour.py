"""Statistics of contours (one number per frame) in padded batches, computed in a form that can be exported.

No shape in an exported graph may depend on the data. A list of unknown length (voiced frames, peaks, runs) is therefore
moved to the front of a full-length array, and a mask says how much of the array is filled. Masks are bool, (B, N).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from serkit.lab.signal.masking import masked_mean_and_deviation

_FAR = 1e9  # stands for infinity, because infinity minus infinity is not a number
_AROUND = 3  # a peak is the highest of this many frames on either side
_NOTABLE = 0.02  # lowest height of a peak above the valleys around it, as a share of the contour's range


def smooth(x: Tensor, mask: Tensor) -> Tensor:
    """Average each frame of a contour with its two neighbors, leaving out frames outside the mask.

    Args:
        x: Contours (B, C, N).
        mask: Valid frames (B, N).

    Returns:
        Smoothed contours (B, C, N), zero outside the mask.
    """
    weight = mask[:, None].to(x.dtype)  # (B, 1, N)
    return _sum_of_three(x * weight) / _sum_of_three(weight).clamp(min=1.0) * weight


def _sum_of_three(x: Tensor) -> Tensor:
    padded = functional.pad(x, (1, 1))
    return padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]


def mean_and_deviation(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of contours (B, C, N) over the mask, each (B, C); 0 for an empty mask."""
    mean, deviation = masked_mean_and_deviation(x, mask[:, None].to(x.dtype), (2,), 0.0)
    return mean[..., 0], deviation[..., 0]


def compact(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Move the masked-in frames of a contour (B, N) to the front, in order.

    Returns:
        The contour (B, N) and the mask (B, N) of the frames that were moved to the front.
    """
    size = x.shape[1]
    position = torch.arange(size, device=x.device)[None, :]
    order = torch.where(mask, position, position + size).argsort(1)
    return x.gather(1, order), position < mask.sum(1, keepdim=True)


class Slopes(NamedTuple):
    """Slopes of a contour, each (B,), in the contour's unit per frame. Falling slopes are positive numbers.

    Attributes:
        rising: Mean slope from a valley to the next peak.
        rising_deviation: Standard deviation of the rising slopes.
        falling: Mean slope from a peak to the next valley.
        falling_deviation: Standard deviation of the falling slopes.
        peaks: Number of peaks.
    """

    rising: Tensor
    rising_deviation: Tensor
    falling: Tensor
    falling_deviation: Tensor
    peaks: Tensor


def slopes(x: Tensor, mask: Tensor) -> Slopes:
    """Measure the slopes between neighboring peaks and valleys of a contour.

    Args:
        x: Contour (B, N).
        mask: Valid frames (B, N), which start at the first frame and have no gap.
    """
    size = x.shape[1]
    highest, lowest = _local_maximum(torch.where(mask, x, -_FAR)), -_local_maximum(torch.where(mask, -x, -_FAR))
    top = torch.where(mask, x, -_FAR).amax(1, keepdim=True)
    bottom = torch.where(mask, x, _FAR).amin(1, keepdim=True)
    notable = mask & ((highest - lowest) > _NOTABLE * (top - bottom).clamp(min=1e-6))
    peak, valley = notable & (x >= highest), notable & (x <= lowest)
    position = torch.arange(size, device=x.device)[None, :]
    edge = mask & ((position == 0) | (position == mask.sum(1, keepdim=True) - 1))
    turn = peak | valley | edge
    places, valid = compact(position.expand_as(x), turn)
    values = x.gather(1, places)
    run = (places[:, 1:] - places[:, :-1]).clamp(min=1)
    slope = (values[:, 1:] - values[:, :-1]) / run  # (B, N - 1)
    valid = valid[:, 1:]
    rising = mean_and_deviation(slope[:, None], valid & (slope > 0))
    falling = mean_and_deviation(-slope[:, None], valid & (slope < 0))
    up, up_deviation, down, down_deviation = (number[:, 0] for number in (*rising, *falling))
    return Slopes(up, up_deviation, down, down_deviation, peak.sum(1).to(x.dtype))


def _local_maximum(x: Tensor) -> Tensor:
    """Return the largest of each value and its neighbors on either side, (B, N)."""
    return functional.max_pool1d(functional.pad(x, (_AROUND, _AROUND), value=-_FAR)[:, None], 2 * _AROUND + 1, 1)[:, 0]


class Runs(NamedTuple):
    """Runs of True in a mask, each (B,).

    Attributes:
        number: Number of runs.
        length: Mean length of a run in frames.
        deviation: Standard deviation of the lengths in frames.
    """

    number: Tensor
    length: Tensor
    deviation: Tensor


def runs(mask: Tensor) -> Runs:
    """Count and measure the runs of True in a mask (B, N)."""
    padded = functional.pad(mask.to(torch.int64), (1, 1))
    change = padded[:, 1:] - padded[:, :-1]  # (B, N + 1)
    position = torch.arange(mask.shape[1] + 1, device=mask.device)[None, :].expand_as(change)
    starts, valid = compact(position, change > 0)
    ends, _ = compact(position, change < 0)
    length, deviation = mean_and_deviation((ends - starts)[:, None].to(torch.float32), valid)
    return Runs(valid.sum(1).to(torch.float32), length[:, 0], deviation[:, 0])
