"""Functionals: a fixed number of statistics that summarize a descriptor over an utterance of any duration."""

import torch
from torch import Tensor

from serkit.lab.signal.masking import frame_mask

FUNCTIONALS = (
    "mean", "deviation", "skewness", "kurtosis", "minimum", "percentile_5", "quartile_1", "median", "quartile_3",
    "percentile_95", "maximum", "range", "interquartile_range", "slope", "slope_error", "mean_change",
)  # fmt: skip
_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_CONSTANT = 1e-5  # a deviation below this share of the largest value is the rounding error of a constant


def functionals(descriptors: Tensor, frames: Tensor, *, frame_rate: float) -> Tensor:
    """Compute the 16 :data:`FUNCTIONALS` of each descriptor over its valid frames.

    Deviation, skewness and kurtosis are the biased estimates, and kurtosis is Fisher's (0 for a Gaussian). Percentiles
    interpolate linearly between frames. Both are the defaults of NumPy and SciPy. The slope is the slope of the
    regression line, and the slope error is the root mean square of its residuals. The mean change is the mean of
    ``|x[n + 1] - x[n]|``. For a constant or a single frame, everything except the mean, the percentiles and the
    extremes is 0.

    Args:
        descriptors: Descriptors (B, F, N).
        frames: Number of valid frames (B,).
        frame_rate: Frames per second, so that slopes are per second.

    Returns:
        Functionals (B, F, 16).
    """
    mask = frame_mask(frames, descriptors.shape[2])[:, None, :]
    mean, deviation, skewness, kurtosis = moments(descriptors, mask)
    low, low_5, quarter, middle, three_quarters, high_95, high = percentiles(descriptors, frames, _SHARES)
    slope, slope_error = _regression(descriptors, mask, mean, frame_rate)
    columns = (
        mean, deviation, skewness, kurtosis, low, low_5, quarter, middle, three_quarters, high_95, high, high - low,
        three_quarters - quarter, slope, slope_error, _mean_change(descriptors, mask),
    )  # fmt: skip
    return torch.stack(columns, dim=-1)


def moments(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return mean, standard deviation, skewness and excess kurtosis over the valid values.

    For a constant the deviation, skewness and kurtosis are 0.

    Args:
        x: Values (B, F, N).
        mask: Mask (B, 1, N), True where a value is valid.

    Returns:
        Four tensors of shape (B, F).
    """
    mean = masked_mean(x, mask)
    centered = (x - mean[..., None]) * mask
    # a float32 mean has a rounding error, whose third and fourth powers would distort skewness and kurtosis
    error = masked_mean(centered, mask)
    mean, centered = mean + error, (centered - error[..., None]) * mask
    variance = masked_mean(centered.square(), mask)
    largest = (x * mask).abs().amax(2)
    constant = variance.sqrt() <= _CONSTANT * largest
    scale = torch.where(constant, 1.0, variance)
    standard = centered / scale.sqrt()[..., None]
    third = masked_mean(standard * standard.square(), mask)
    fourth = masked_mean(standard.square().square(), mask)
    zero = torch.zeros_like(mean)
    return (
        mean,
        torch.where(constant, zero, variance.sqrt()),
        torch.where(constant, zero, third),
        torch.where(constant, zero, fourth - 3),
    )


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (B, F) over the valid values of x (B, F, N), given a mask (B, 1, N)."""
    return (x * mask).sum(2) / mask.sum(2).clamp(min=1)


def percentiles(x: Tensor, frames: Tensor, shares: tuple[float, ...]) -> list[Tensor]:
    """Return quantiles over the valid frames, as ``numpy.quantile`` does.

    Args:
        x: Values (B, F, N).
        frames: Number of valid frames (B,), at least 1 each.
        shares: Quantiles to compute, from 0 to 1.

    Returns:
        One tensor (B, F) for each share.
    """
    ordered = x.masked_fill(~frame_mask(frames, x.shape[2])[:, None, :], torch.inf).sort(2).values
    last = frames[:, None] - 1  # (B, 1)
    place = torch.cat([last * share for share in shares], dim=1)  # (B, shares)
    below = torch.minimum(place.to(torch.int64), last)
    above = torch.minimum(below + 1, last)
    rows = (-1, x.shape[1], -1)
    low, high = (ordered.gather(2, index[:, None, :].expand(rows)) for index in (below, above))
    return list((low + (high - low) * (place - below)[:, None, :]).unbind(2))


def _regression(x: Tensor, mask: Tensor, mean: Tensor, frame_rate: float) -> tuple[Tensor, Tensor]:
    """Return the slope of the regression line and its root mean square error, each (B, F)."""
    count = mask.sum(2, keepdim=True)  # (B, 1, 1)
    time = torch.arange(x.shape[2], device=x.device)[None, None, :] - (count - 1) / 2
    time = time * mask / frame_rate  # (B, 1, N), mean 0
    centered = (x - mean[..., None]) * mask
    spread = time.square().sum(2)  # (B, 1)
    slope = (centered * time).sum(2) / torch.where(spread == 0, 1.0, spread)
    return slope, masked_mean((centered - slope[..., None] * time).square(), mask).sqrt()


def _mean_change(x: Tensor, mask: Tensor) -> Tensor:
    return masked_mean((x[..., 1:] - x[..., :-1]).abs(), mask[..., 1:])
