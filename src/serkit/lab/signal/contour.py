"""What functionals ask of contours, one number per frame, in padded batches and in a form that exports.

A shape may not depend on the data in an exported graph. So what a list would hold (the voiced frames, the peaks, the
runs) is moved to the front of an array of full length, with a count beside it. Masks are bool, (B, N).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from serkit.lab.signal.masking import masked_mean_and_deviation

_FAR = 1e9  # stands for infinity, of which the difference to itself is not a number
_AROUND = 3  # frames on either side in which a peak is the highest
_NOTABLE = 0.02  # of the range of the contour; a peak stands so far above the valleys around it


def smooth(x: Tensor, mask: Tensor) -> Tensor:
    """Average contours over three frames, of which those outside the mask count for nothing.

    Args:
        x: Contours (B, C, N).
        mask: Frames that count (B, N).

    Returns:
        Shape (B, C, N), zero outside the mask.
    """
    weight = mask[:, None].to(x.dtype)  # (B, 1, N)
    return _of_three(x * weight) / _of_three(weight).clamp(min=1.0) * weight


def _of_three(x: Tensor) -> Tensor:
    padded = functional.pad(x, (1, 1))
    return padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]


def mean_and_deviation(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of contours (B, C, N) over the mask, each (B, C); 0 where it is empty."""
    mean, deviation = masked_mean_and_deviation(x, mask[:, None].to(x.dtype), (2,), 0.0)
    return mean[..., 0], deviation[..., 0]


def compact(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Move what the mask holds of a contour (B, N) to the front; also return the mask of that."""
    size = x.shape[1]
    position = torch.arange(size, device=x.device)[None, :]
    order = torch.where(mask, position, position + size).argsort(1)
    return x.gather(1, order), position < mask.sum(1, keepdim=True)


class Slopes(NamedTuple):
    """Rise and fall of a contour, each (B,), in the contour's unit per frame, falling as positive numbers.

    Attributes:
        rising: Mean slope of the stretches from a valley to the next peak.
        rising_deviation: Its standard deviation over stretches.
        falling: Mean slope of the stretches from a peak to the next valley.
        falling_deviation: Its standard deviation over stretches.
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
        mask: Its frames (B, N), from the first on without a gap.
    """
    size = x.shape[1]
    highest, lowest = _extreme(torch.where(mask, x, -_FAR)), -_extreme(torch.where(mask, -x, -_FAR))
    top = torch.where(mask, x, -_FAR).amax(1, keepdim=True)
    bottom = torch.where(mask, x, _FAR).amin(1, keepdim=True)
    notable = mask & ((highest - lowest) > _NOTABLE * (top - bottom).clamp(min=1e-6))
    peak, valley = notable & (x >= highest), notable & (x <= lowest)
    position = torch.arange(size, device=x.device)[None, :]
    edge = mask & ((position == 0) | (position == mask.sum(1, keepdim=True) - 1))
    turn = peak | valley | edge
    places, held = compact(position.expand_as(x), turn)
    values = x.gather(1, places)
    run = (places[:, 1:] - places[:, :-1]).clamp(min=1)
    slope = (values[:, 1:] - values[:, :-1]) / run  # (B, N - 1)
    held = held[:, 1:]
    rising = mean_and_deviation(slope[:, None], held & (slope > 0))
    falling = mean_and_deviation(-slope[:, None], held & (slope < 0))
    up, up_deviation, down, down_deviation = (number[:, 0] for number in (*rising, *falling))
    return Slopes(up, up_deviation, down, down_deviation, peak.sum(1).to(x.dtype))


def _extreme(x: Tensor) -> Tensor:
    return functional.max_pool1d(functional.pad(x, (_AROUND, _AROUND), value=-_FAR)[:, None], 2 * _AROUND + 1, 1)[:, 0]


class Runs(NamedTuple):
    """Uninterrupted stretches of a mask, each (B,): their number, mean length and its deviation, in frames."""

    number: Tensor
    length: Tensor
    deviation: Tensor


def runs(mask: Tensor) -> Runs:
    """Measure the stretches in which a mask (B, N) holds."""
    padded = functional.pad(mask.to(torch.int64), (1, 1))
    change = padded[:, 1:] - padded[:, :-1]  # (B, N + 1)
    position = torch.arange(mask.shape[1] + 1, device=mask.device)[None, :].expand_as(change)
    starts, held = compact(position, change > 0)
    ends, _ = compact(position, change < 0)
    length, deviation = mean_and_deviation((ends - starts)[:, None].to(torch.float32), held)
    return Runs(held.sum(1).to(torch.float32), length[:, 0], deviation[:, 0])
