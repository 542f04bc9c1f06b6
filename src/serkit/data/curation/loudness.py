"""Measures integrated loudness by ITU-R BS.1770-4.

The gates of the standard exclude pauses, so clips with more or less silence can be compared. A stereo file that was
mixed down counts like a mono file of the same voice, 3 LU below the standard's value for two loudspeakers.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# BS.1770-4, annex 1, tables 1 and 2: the shelving filter for the head and the high-pass, as (b, a) at 48 kHz.
_SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)
_HIGH_PASS = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
_STANDARD_RATE = 48_000
_OFFSET = -0.691  # dB; makes a full-scale 997 Hz sine -3.01 LUFS
_BLOCK_S, _STEP_S = 0.4, 0.1
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
_RINGING_S = 0.25  # after this the response of the high-pass at 38 Hz has fallen by 400 dB


def loudness(samples: NDArray[np.floating[Any]], *, sampling_rate: int) -> float:
    """Measure the integrated loudness of one channel.

    The filters are applied to the spectrum, with the standard's response for 48 kHz at every sampling rate, so
    resampling does not change the result. Audio shorter than one block of 400 ms counts as one block; the standard
    defines no loudness for it.

    Args:
        samples: One channel, shape (T,), full scale 1.
        sampling_rate: Sampling rate in Hz.

    Returns:
        Loudness in LUFS; minus infinity where no block is louder than -70.

    Source:
        ITU-R BS.1770-4 (2015), Algorithms to measure audio programme loudness and true-peak audio level, annex 1.
    """
    if not len(samples):
        return -np.inf
    totals = np.concatenate([[0.0], np.cumsum(np.square(_weighted(samples, sampling_rate), dtype=np.float64))])
    size = min(round(_BLOCK_S * sampling_rate), len(samples))
    starts = np.arange(0, len(samples) - size + 1, round(_STEP_S * sampling_rate))
    powers = np.maximum(totals[starts + size] - totals[starts], 0) / size
    heard = powers[powers > _power(_ABSOLUTE_GATE)]
    if not len(heard):
        return -np.inf
    kept = heard[heard > heard.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return float(_OFFSET + 10 * np.log10(kept.mean()))


def _weighted(samples: NDArray[np.floating[Any]], sampling_rate: int) -> NDArray[np.floating[Any]]:
    """Apply the standard's K-weighting, (T,) to (T,), in pieces (overlap-save)."""
    response = _response(sampling_rate)
    size = 2 * (len(response) - 1)
    overlap = round(_RINGING_S * sampling_rate)
    padded = np.concatenate([np.zeros(overlap, samples.dtype), samples])
    pieces = [
        np.fft.irfft(np.fft.rfft(padded[start : start + size], size) * response, size)[overlap:]
        for start in range(0, len(samples), size - overlap)
    ]
    return np.concatenate(pieces)[: len(samples)]


@lru_cache(maxsize=8)  # corpora have one rate each
def _response(sampling_rate: int) -> NDArray[np.complex64]:
    size = 1 << (2 * sampling_rate - 1).bit_length()  # 2 to 4 s
    frequencies = np.minimum(np.fft.rfftfreq(size, 1 / sampling_rate), _STANDARD_RATE / 2)
    delay = np.exp(-2j * np.pi * frequencies / _STANDARD_RATE)  # z^-1
    response = np.ones(len(delay), np.complex128)
    for b, a in (_SHELF, _HIGH_PASS):
        response *= (b[0] + delay * (b[1] + delay * b[2])) / (a[0] + delay * (a[1] + delay * a[2]))
    return response.astype(np.complex64)


def _power(level: float) -> float:
    return float(10 ** ((level - _OFFSET) / 10))
