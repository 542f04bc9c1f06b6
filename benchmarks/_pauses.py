"""The frames of a clip that hold no speech, and changes of a clip's noise and of its channel."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from serkit.lab.signal.mel import mel_filters
from serkit.types import FloatArray

RATE = 16_000
FRAME = 320  # samples in a frame of the speech detector, 20 ms
SPEECH = 0.1  # lowest probability of speech that rules a frame out; timelines begin speech at 0.6
MARGIN = 5  # frames around speech that are left out, 100 ms: the edges of words
BELOW_SPEECH_DB = 25.0  # a pause is so much softer than the loud parts of the speech
ABOVE_PAUSE_DB = 10.0  # a frame so much louder than the median of its clip's pauses is a breath, click or echo
_SILENCE = 1e-12
_BANDS, _POINTS, _TAPS = 64, 512, 1024
_LIMIT_DB = 30.0  # most that a filter raises or lowers a band

Mask = NDArray[np.bool_]


def levels_db(samples: FloatArray) -> FloatArray:
    """Return the level of each frame of 20 ms in dB below full scale, without its offset, shape (T // 320,)."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    return 10 * np.log10(np.square(frames - frames.mean(1, keepdims=True)).mean(1) + _SILENCE)


def pauses(samples: FloatArray, speech: FloatArray) -> Mask:
    """Return which frames of 20 ms hold no speech, not even an echo of it, shape (T // 320,).

    Three rules have to hold: no probability of speech of 0.1 or more within 100 ms; 25 dB below the loud parts of the
    speech; at most 10 dB above the median of the frames that are left.

    Args:
        samples: Samples at 16,000 Hz, shape (T,).
        speech: Probability of speech of each frame, shape (T // 320,).
    """
    level = levels_db(samples)
    near = np.convolve(speech >= SPEECH, np.ones(2 * MARGIN + 1), "same") > 0 if len(speech) else np.zeros(0, bool)
    spoken = level[speech >= 0.6]
    loud = np.quantile(spoken if len(spoken) else level, 0.9) if len(level) else 0.0
    kept = ~near & (level < loud - BELOW_SPEECH_DB)
    if kept.any():
        kept &= level <= np.median(level[kept]) + ABOVE_PAUSE_DB
    return kept


def before_speech(kept: Mask, speech: FloatArray) -> Mask:
    """Return those of the pauses that come before the first word, where nothing echoes."""
    first = int(np.argmax(speech >= SPEECH)) if (speech >= SPEECH).any() else len(kept)
    return kept & (np.arange(len(kept)) < first)


def rows_of(logmel: FloatArray, kept: Mask) -> FloatArray:
    """Return the rows of a log-mel spectrogram (N, F) that lie in the frames that are kept.

    Args:
        logmel: Log-mel spectrogram with a hop of 10 ms.
        kept: Whether each frame of 20 ms is kept.
    """
    places = np.minimum(np.arange(len(logmel)) // 2, len(kept) - 1)
    return logmel[kept[places]] if len(kept) else logmel[:0]


def mean_and_deviation(rows: FloatArray, *, keep_level: bool = True) -> FloatArray:
    """Return mean and deviation of each band over frames (N, F), shape (2 * F,).

    Args:
        rows: Log-mel spectrum of each frame.
        keep_level: Whether the mean over the bands stays; otherwise only the shape of the spectrum is left.
    """
    mean = rows.mean(0)
    return np.concatenate([mean if keep_level else mean - mean.mean(), rows.std(0)])


def functionals_of_bands(logmel: FloatArray, subtracted: FloatArray | float = 0.0) -> FloatArray:
    """Return mean, deviation and three quantiles of each band of a log-mel spectrogram (N, F), shape (5 * F,).

    Args:
        logmel: Log-mel spectrogram.
        subtracted: Spectrum that is subtracted from each frame, shape (F,), such as the clip's own mean.
    """
    rows = logmel - subtracted
    return np.concatenate([rows.mean(0), rows.std(0), *np.quantile(rows, (0.1, 0.5, 0.9), axis=0)])


def equalized(samples: FloatArray) -> FloatArray:
    """Return a clip (T,) filtered so that its long-term average spectrum is that of every other clip.

    The spectrum is measured in 64 mel bands over the whole clip, so pauses hardly count. The common spectrum is flat
    below 500 Hz, and falls by 6 dB for each octave above. The filter has no phase.
    """
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, _POINTS // 2), _POINTS)[:: _POINTS // 2]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_POINTS), axis=1))).mean(0)
    filters = mel_filters(RATE, _POINTS, _BANDS)
    centers = filters @ np.linspace(0, RATE / 2, _POINTS // 2 + 1) / filters.sum(1)
    measured = 10 * np.log10(filters @ power / filters.sum(1) + _SILENCE)
    wanted = -20 * np.log2(np.maximum(centers, 500) / 500) * np.log10(2)
    gain = wanted - measured
    level = gain.mean()
    gain = level + np.clip(gain - level, -_LIMIT_DB, _LIMIT_DB)
    bins = np.interp(np.linspace(0, RATE / 2, _TAPS // 2 + 1), centers, gain)
    taps = np.fft.fftshift(np.fft.irfft(10 ** (bins / 20))) * np.hanning(_TAPS + 1)[:-1]
    heard = fftconvolve(samples, taps)[_TAPS // 2 : _TAPS // 2 + len(samples)]
    return (0.05 * heard / np.sqrt(np.square(heard).mean() + _SILENCE)).astype(np.float32)


def masked(samples: FloatArray, rng: np.random.Generator, *, snr_db: float) -> FloatArray:
    """Return a clip (T,) with white noise ``snr_db`` below its mean power, which hides the noise of the recording."""
    power = np.square(samples - samples.mean()).mean() * 10 ** (-snr_db / 10)
    return samples + (np.sqrt(power) * rng.standard_normal(len(samples))).astype(np.float32)


def silenced(samples: FloatArray, kept: Mask) -> FloatArray:
    """Return a clip (T,) with digital silence in its pauses, faded in and out over 10 ms inside them."""
    gain = np.ones(len(samples))
    gain[: len(kept) * FRAME] = np.repeat(~kept, FRAME)
    fade = FRAME // 2
    smooth = np.convolve(np.pad(gain, fade, mode="edge"), np.ones(fade) / fade, "same")[fade:-fade]
    return (samples * np.maximum(gain, smooth)).astype(np.float32)


def noise_like(pause: FloatArray, length: int, rng: np.random.Generator) -> FloatArray:
    """Return noise (length,) with the level and the spectrum of a recorded pause (T,)."""
    frames = np.lib.stride_tricks.sliding_window_view(pause - pause.mean(), _POINTS)[:: _POINTS // 2]
    window = np.hanning(_POINTS)
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1))).mean(0) / np.square(window).sum()
    taps = np.fft.fftshift(np.fft.irfft(np.sqrt(power)))
    white = rng.standard_normal(length + _POINTS - 1)
    return fftconvolve(white, taps, "valid").astype(np.float32)


def cut_out(samples: FloatArray, kept: Mask) -> FloatArray:
    """Return the samples of the pauses, one after the other."""
    return samples[: len(kept) * FRAME].reshape(-1, FRAME)[kept].ravel()
