"""Bandwidth: whether audio was cut to the band of a telephone."""

import math

import numpy as np

from serkit.types import FloatArray

_TELEPHONE_RATE = 12_000  # Hz; at lower rates there is nothing above 6 kHz
_FRAME_SECONDS = 0.064  # nearly; the number of samples is a power of two
_VOICE = (100.0, 3_400.0)  # Hz
_ABOVE = (4_300.0, 7_500.0)  # Hz; a telephone ends at 3.4 or 4 kHz
_EMPTY = 10**-6.5  # power in the upper band over power in the voice's, from which on the upper one is empty
_SILENT = 1e-10  # mean power: 100 dB below full scale


class BandwidthMeter:
    """Measures the bandwidth of mono audio that is pushed piece by piece. The size of the pieces does not matter.

    Args:
        rate: Sampling rate in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._size = 1 << round(math.log2(_FRAME_SECONDS * rate))  # at 655,350 Hz five times as fast as 41,942
        self._window = np.hanning(self._size).astype(np.float32)
        self._rest = np.empty(0, np.float32)
        self._frames = 0
        self._power = np.zeros(self._size // 2 + 1)

    def push(self, samples: FloatArray) -> None:
        """Add samples (T,)."""
        if self._rate < _TELEPHONE_RATE:
            return
        joined = np.concatenate([self._rest, samples]) if self._rest.size else samples
        whole = len(joined) // self._size
        frames = joined[: whole * self._size].reshape(whole, self._size)
        for start in range(0, whole, 256):
            spectra = np.fft.rfft(frames[start : start + 256] * self._window)
            self._power += np.square(np.abs(spectra)).sum(axis=0)
        self._frames += whole
        self._rest = joined[whole * self._size :].copy()

    @property
    def is_narrow(self) -> bool:
        """Whether the sampling rate is below 12 kHz, or nothing is left above 4.3 kHz."""
        if self._rate < _TELEPHONE_RATE:
            return True
        frequencies = np.arange(len(self._power)) * self._rate / self._size
        voice, above = (
            self._power[(frequencies >= low) & (frequencies < high)].sum() for low, high in (_VOICE, _ABOVE)
        )
        return bool(voice > _SILENT * self._frames * self._size**2 and above < _EMPTY * voice)
