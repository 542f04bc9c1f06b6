"""Oracle for the functionals, by NumPy and SciPy."""

from typing import Any

import numpy as np
import scipy.stats

Array = np.ndarray[Any, np.dtype[Any]]


def expected_functionals(x: Array, frame_rate: float) -> dict[str, float]:
    """Return the functionals of one descriptor (N,), computed by NumPy and SciPy."""
    centered = np.arange(len(x)) / frame_rate
    centered -= centered.mean()
    slope, offset = np.polyfit(centered, x, 1) if len(x) > 1 else (0.0, x[0])
    quartiles = {f"quartile_{n}": np.quantile(x, n / 4) for n in (1, 3)}
    is_constant = x.std() <= 1e-5 * np.abs(x).max()
    return {
        "mean": x.mean(),
        "deviation": x.std(),
        "skewness": 0.0 if is_constant else scipy.stats.skew(x),
        "kurtosis": 0.0 if is_constant else scipy.stats.kurtosis(x),
        "minimum": x.min(),
        "percentile_5": np.quantile(x, 0.05),
        **quartiles,
        "median": np.median(x),
        "percentile_95": np.quantile(x, 0.95),
        "maximum": x.max(),
        "range": np.ptp(x),
        "interquartile_range": quartiles["quartile_3"] - quartiles["quartile_1"],
        "slope": slope,
        "slope_error": np.sqrt(np.mean((x - offset - slope * centered) ** 2)),
        "mean_change": np.abs(np.diff(x)).mean() if len(x) > 1 else 0.0,
    }
