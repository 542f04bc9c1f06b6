"""Sampling rates, and resampling with soxr: of a whole clip, or piece by piece with a Resampler."""

import math
from numbers import Real

import numpy as np

from serkit.errors import NoSamplesError, SamplingRateError
from serkit.types import FloatArray

MIN_SAMPLING_RATE = 1_000  # Hz; no speech is left below it, and a header with 1 Hz would turn each sample into 16,000
MAX_SAMPLING_RATE = 768_000  # Hz; the fastest converters on sale


def check_rate(rate: int, name: str = "the audio") -> int:
    """Return the sampling rate as an int.

    Args:
        rate: Sampling rate in Hz.
        name: Name of the audio for the message.

    Raises:
        SamplingRateError: If the rate is not an integer, or is out of range.
    """
    is_whole = isinstance(rate, Real) and math.isfinite(rate) and rate == int(rate)
    if not is_whole or not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise SamplingRateError(
            f"{name} has a sampling rate of {rate} Hz; expected {MIN_SAMPLING_RATE} to {MAX_SAMPLING_RATE} Hz."
        )
    return int(rate)


def resample(samples: FloatArray, rate: int, target_rate: int) -> FloatArray:
    """Resample (T,) with soxr's HQ filter. Returns the input if the two sampling rates are equal.

    Raises:
        NoSamplesError: If the audio is so short that no sample is left.
    """
    if rate == target_rate:
        return samples
    import soxr

    first = samples[:1]  # taken off, since soxr takes silence for what is beyond the ends: an offset would be a step
    resampled: FloatArray = soxr.resample(samples - first, rate, target_rate, quality="HQ") + first
    if not len(resampled):
        raise NoSamplesError(f"{len(samples)} samples at {rate} Hz leave no sample at {target_rate} Hz.")
    return resampled


class Resampler:
    """Resamples audio that is pushed piece by piece. The size of the pieces does not change the result.

    Args:
        rate: Sampling rate of the input in Hz.
        target_rate: Sampling rate of the output in Hz.
    """

    def __init__(self, rate: int, target_rate: int) -> None:
        self._stream = None
        self._first = np.float32(0)  # the first sample, taken off as in resample()
        self._has_begun = False
        if rate != target_rate:
            import soxr

            self._stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")

    def push(self, samples: FloatArray) -> FloatArray:
        """Add samples (T,) and return the output that is ready (T',). Some output is held back until more comes."""
        if self._stream is None or not len(samples):
            return samples
        if not self._has_begun:
            self._first, self._has_begun = np.float32(samples[0]), True
        ready: FloatArray = self._stream.resample_chunk(samples - self._first)
        return ready + self._first

    def flush(self) -> FloatArray:
        """End the input and return the rest of the output (T',)."""
        if self._stream is None:
            return np.empty(0, np.float32)
        ready: FloatArray = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        return ready + self._first
