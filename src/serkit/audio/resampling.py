"""Resampling of sound that comes in pieces, by soxr; how it is cut changes nothing."""

import numpy as np

from serkit.types import FloatArray


class Resampler:
    """From one rate to another, piece by piece.

    Args:
        rate: In Hz, of what comes in.
        target_rate: In Hz, of what goes out.
    """

    def __init__(self, rate: int, target_rate: int) -> None:
        self._stream = None
        if rate != target_rate:
            import soxr

            self._stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")

    def push(self, samples: FloatArray) -> FloatArray:
        """Take samples (T,) and return those that are ready (T',); some stay behind until more come."""
        if self._stream is None or not len(samples):
            return samples
        ready: FloatArray = self._stream.resample_chunk(samples)
        return ready

    def flush(self) -> FloatArray:
        """Return what has stayed behind."""
        if self._stream is None:
            return np.empty(0, np.float32)
        ready: FloatArray = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        return ready
