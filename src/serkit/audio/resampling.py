"""Resampler: resamples audio piece by piece with soxr. The size of the pieces does not change the result."""

import numpy as np

from serkit.types import FloatArray


class Resampler:
    """Resamples audio that is pushed piece by piece.

    Args:
        rate: Sampling rate of the input in Hz.
        target_rate: Sampling rate of the output in Hz.
    """

    def __init__(self, rate: int, target_rate: int) -> None:
        self._stream = None
        if rate != target_rate:
            import soxr

            self._stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")

    def push(self, samples: FloatArray) -> FloatArray:
        """Add samples (T,) and return the output that is ready (T',). Some output is held back until more comes."""
        if self._stream is None or not len(samples):
            return samples
        ready: FloatArray = self._stream.resample_chunk(samples)
        return ready

    def flush(self) -> FloatArray:
        """End the input and return the rest of the output (T',)."""
        if self._stream is None:
            return np.empty(0, np.float32)
        ready: FloatArray = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        return ready
