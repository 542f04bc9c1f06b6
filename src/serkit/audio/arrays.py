"""Arrays of samples: their shape, type and size are checked, and integers are scaled to [-1, 1)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.audio.resampling import check_rate
from serkit.errors import AudioShapeError, NonFiniteAudioError, NoSamplesError
from serkit.types import FloatArray

MAX_CHANNELS = 64
_ABSURD = 1e6  # 120 dB above full scale; the squares of much larger samples overflow float32 in a model
_QUIETEST_INT32 = 1 << 15  # a peak below it, 96 dB below full scale, is that of 16-bit samples in a wider type


def check_samples(samples: NDArray[Any], name: str = "the array") -> FloatArray:
    """Return an array (T,) or (channels, T) as float32 (channels, T).

    Args:
        samples: Floats in [-1, 1] or full-scale integers.
        name: Name of the array for messages.

    Raises:
        AudioShapeError: If the array has another shape or type.
        NoSamplesError: If the array is empty.
        NonFiniteAudioError: If the array has NaN, infinite or absurdly large samples.
    """
    if not isinstance(samples, np.ndarray):
        raise TypeError(f"samples must be an array, not {type(samples).__name__}.")
    return finite(from_array(samples), name)


def finite(samples: FloatArray, name: str) -> FloatArray:
    """Return the samples, after checking that they are finite and not absurdly large."""
    if samples.size and not (samples.min() >= -_ABSURD and samples.max() <= _ABSURD):  # true for NaN too
        raise NonFiniteAudioError(f"{name} has NaN, infinite or absurdly large samples; repair it before use.")
    return samples


def from_array(samples: NDArray[Any]) -> FloatArray:
    """Return an array as float32 (channels, T), full-scale integers scaled to [-1, 1)."""
    if samples.ndim not in (1, 2):
        raise AudioShapeError(f"expected an array (T,) or (channels, T), got shape {samples.shape}.")
    if not samples.size:
        raise NoSamplesError(f"the array of shape {samples.shape} has no samples.")
    if samples.ndim == 2 and len(samples) > MAX_CHANNELS:
        raise AudioShapeError(f"shape {samples.shape} looks like (T, channels); pass the transpose, (channels, T).")
    if np.issubdtype(samples.dtype, np.signedinteger) and samples.dtype.itemsize <= 4:
        _check_integers(samples)
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioShapeError(
            f"expected float or signed integer samples of at most 32 bits, got {samples.dtype}; convert 16-bit samples "
            "with astype(np.int16)."
        )
    with np.errstate(over="ignore"):  # load_clip refuses the infinite samples of an overflow
        return np.atleast_2d(samples).astype(np.float32, copy=False)


def _check_integers(samples: NDArray[Any]) -> None:
    """Refuse 16-bit samples in a wider type, which scaled by its width would be silence."""
    if samples.dtype.itemsize < 4:
        return
    peak = max(int(samples.max()), -int(samples.min()))
    if 0 < peak < _QUIETEST_INT32 and (samples & 0xFF).any():  # a converter of 24 bits leaves the lowest 8 empty
        raise AudioShapeError(
            f"int32 samples with a peak of {peak} look like 16-bit samples; convert them with astype(np.int16), or "
            "scale them to the full range of int32."
        )


def check_form(rate: int, channels: int, name: str) -> None:
    """Check the sampling rate of a file and its number of channels."""
    check_rate(rate, name)
    if channels > MAX_CHANNELS:
        raise AudioShapeError(f"{name} has {channels} channels; expected at most {MAX_CHANNELS}.")
