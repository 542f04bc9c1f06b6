"""Colored noise, filters given by their gains, and the power of 20 ms frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.lab.augment.filters import fast_size
from serkit.types import FloatArray

Wave = NDArray[np.floating[Any]]

HOP = 320  # samples of a frame of the detector, 20 ms


def colored_noise(samples: int, slope: float, rng: np.random.Generator) -> FloatArray:
    """Make noise whose power is proportional to 1 / frequency ** slope: 0 white, 1 pink, 2 brown.

    Returns:
        Noise (T,) with standard deviation 1.
    """
    size = fast_size(samples)
    bins = np.maximum(np.arange(size // 2 + 1), max(1, size // 800))  # constant power below 20 Hz, at 16,000 Hz
    spectrum = rng.standard_normal((2, len(bins)), np.float32) * bins.astype(np.float32) ** (-slope / 2)
    noise = np.fft.irfft(spectrum[0] + 1j * spectrum[1], size)[:samples]
    return (noise / max(float(noise.std()), 1e-12)).astype(np.float32)


def filtered(samples: Wave, gains: Wave) -> FloatArray:
    """Filter a sound (T,) by gains (K,), which are evenly spaced from 0 Hz to half the sampling rate."""
    size = fast_size(len(samples))
    spectrum = np.fft.rfft(samples, size)
    spectrum *= np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(gains)), gains)
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)


def frame_powers(samples: Wave) -> NDArray[np.float64]:
    """Return the mean square of each whole frame of 20 ms, shape (T // 320,)."""
    whole = len(samples) // HOP * HOP
    powers: NDArray[np.float64] = np.square(samples[:whole].astype(np.float64)).reshape(-1, HOP).mean(1)
    return powers
