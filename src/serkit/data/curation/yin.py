"""The fundamental frequency of a voice, frame by frame, with numpy alone.

This is YIN: a voice repeats itself after one period, so the difference between a stretch of sound and
the same stretch a lag later has its first deep dip where the lag is the period. Correlations go through
the FFT for all frames at once, which makes it some hundred times faster than the speech itself.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from serkit.audio.decode import load_audio
from serkit.types import FloatArray

SAMPLING_RATE = 16_000
_WINDOW_S = 0.025  # the integration window of the paper
_SMOOTHED = 8  # samples, 0.5 ms: averaging them takes away the breath above 2 kHz, which makes dips shallow
_DEEP = 0.35  # a frame whose deepest dip is shallower has no pitch
_NEARLY = 0.08  # of dips this close to the deepest the first is the period, the others are its multiples
_QUIET_DB = 40.0  # below the loudest frame: room and breath, whose hum may be periodic too
_SILENT = 1e-10  # mean square, -100 dBFS: nothing but the dither of a converter
_NEIGHBORS = 5  # frames on either side that a frame's pitch is held against
_LEAP = 1.5  # no voice moves by a fifth within 50 ms and back: an octave error
_SHORTEST = 3  # frames; a shorter voiced run is a chance dip in noise
_CHUNK = 256  # frames at once, so that the arrays stay in the processor's cache


def track_pitch(
    samples: NDArray[Any], *, sampling_rate: int, hop_ms: float = 10.0, lowest: float = 65.0, highest: float = 500.0
) -> FloatArray:
    """Find the fundamental frequency of each frame.

    Where the paper takes the first dip under a fixed threshold, the first that is nearly as deep as the deepest
    is taken here. The smoothing before and the voicing decision are this project's own: a frame has a pitch if the
    dip is deep, the frame no more than 40 dB below the loudest, and its neighbors agree.

    Its thresholds were chosen by agreement with Praat's autocorrelation on clips of EmoDB, nEMO, RAVDESS and TESS,
    without their labels. It describes corpora; no model reads it.

    Args:
        samples: One voice, shape (T,) or (channels, T).
        sampling_rate: Of the samples in Hz; they are resampled to 16 kHz.
        hop_ms: From one frame to the next.
        lowest: Of the frequencies looked for, in Hz; sets the length of a frame: 25 ms and one longest period.
        highest: Of the frequencies looked for, in Hz.

    Returns:
        Hz, shape (frames,), NaN where no pitch was found. Frame k starts at k * hop_ms and is whole: audio shorter
        than one frame (41 ms as it stands) has none.

    Raises:
        AudioError: If the samples are not audio.
        ValueError: If the frequencies are not between 20 Hz and 2 kHz, the lowest first, or the hop is below 1 ms.

    Source:
        A. de Cheveigne and H. Kawahara, YIN, a fundamental frequency estimator for speech and music, Journal of the
        Acoustical Society of America 111(4), 2002, equations 6 to 8 and steps 1 to 5.
    """
    if not 20 <= lowest < highest <= 2_000 or hop_ms < 1:
        raise ValueError(
            f"cannot look for a pitch from {lowest} to {highest} Hz every {hop_ms} ms: "
            "expected two frequencies from 20 to 2000 Hz, the lower first, and 1 ms or more."
        )
    voice = load_audio(samples, sampling_rate=sampling_rate, target_rate=SAMPLING_RATE)
    hop = round(SAMPLING_RATE * hop_ms / 1000)
    window = round(SAMPLING_RATE * _WINDOW_S)
    shortest_lag = int(SAMPLING_RATE / highest)
    longest_lag = int(np.ceil(SAMPLING_RATE / lowest)) + 1  # a dip needs a neighbor on either side
    length = window + longest_lag
    if len(voice) < length + _SMOOTHED - 1:
        return np.empty(0, np.float32)
    voice = np.convolve(voice - voice.mean(), np.full(_SMOOTHED, 1 / _SMOOTHED, np.float32), "valid")
    totals = np.concatenate([[0.0], np.cumsum(np.square(voice, dtype=np.float64))])
    energies = totals[window:] - totals[:-window]  # of the window that starts at each sample
    frames = sliding_window_view(voice, length)[::hop]  # (frames, length)
    lagged = sliding_window_view(energies, longest_lag + 1)[::hop]  # (frames, lags), from lag 0
    pitch = np.concatenate(
        [
            _pitch(frames[i : i + _CHUNK], lagged[i : i + _CHUNK], window, shortest_lag)
            for i in range(0, len(frames), _CHUNK)
        ]
    )
    level = lagged[:, 0] / window
    pitch[level < max(_SILENT, level.max() * 10 ** (-_QUIET_DB / 10))] = np.nan
    pitch[(pitch < lowest) | (pitch > highest)] = np.nan
    return _without_strays(pitch)


def _pitch(frames: FloatArray, energies: NDArray[np.float64], window: int, shortest_lag: int) -> FloatArray:
    """Return the pitch (n,) of frames (n, length), by their windows' energies (n, lags); NaN without a deep dip."""
    difference = _differences(frames, energies, window)  # (n, lags)
    normalized = _normalized(difference)
    inner = normalized[:, 1:-1]
    is_dip = (inner < normalized[:, :-2]) & (inner <= normalized[:, 2:])
    is_dip[:, : shortest_lag - 1] = False
    depths = np.where(is_dip, inner, np.inf)
    deepest = depths.min(axis=1)
    lag = np.maximum(1 + np.argmax(depths <= deepest[:, None] + _NEARLY, axis=1), shortest_lag)
    row = np.arange(len(frames))
    before, at, after = (difference[row, lag + side] for side in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.divide((before - after) / 2, bend, out=np.zeros_like(bend), where=bend > 0)
    found = SAMPLING_RATE / (lag + np.clip(shift, -1, 1))
    return np.where(deepest < _DEEP, found, np.nan).astype(np.float32)


def _differences(frames: FloatArray, energies: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the sum of squared differences (n, lags) between each frame's first window and those after it."""
    length = frames.shape[1]
    size = _smooth(length)  # circular correlation spoils only lags beyond size - window, which are not used
    spectrum = np.fft.rfft(frames, size)
    head = np.fft.rfft(frames[:, :window], size)
    correlation = np.fft.irfft(spectrum * head.conj(), size)[:, : energies.shape[1]]
    return np.maximum(energies[:, :1] + energies - 2 * correlation, 0)


def _normalized(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide each lag's difference by the mean over the lags up to it: 1 for noise, 0 for a perfect period."""
    lags = np.arange(1, difference.shape[1])
    means = np.cumsum(difference[:, 1:], axis=1) / lags
    normalized = np.ones_like(difference)
    np.divide(difference[:, 1:], means, out=normalized[:, 1:], where=means > 0)
    return normalized


def _without_strays(pitch: FloatArray) -> FloatArray:
    """Blank what leaps away from its neighbors, and voiced runs too short to be a voice."""
    padded = np.pad(pitch, _NEIGHBORS, constant_values=np.nan)
    around = np.sort(sliding_window_view(padded, 2 * _NEIGHBORS + 1), axis=1)  # NaN goes last
    count = np.isfinite(around).sum(axis=1)
    median = around[np.arange(len(pitch)), np.maximum(count - 1, 0) // 2]
    kept = np.where((pitch < median * _LEAP) & (pitch > median / _LEAP), pitch, np.nan).astype(np.float32)
    is_voiced = np.isfinite(kept)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_voiced, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2):
        if end - first < _SHORTEST:
            kept[first:end] = np.nan
    return kept


def _smooth(size: int) -> int:
    """Return the next whole number that has no prime factor above 5, for which the FFT is fast."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1
