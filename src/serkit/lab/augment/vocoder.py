"""Time stretch and pitch shift by a phase vocoder, faster than librosa's and equal to it for the same frame size.

librosa's frames of 2048 samples are made for music. At 16 kHz they last 128 ms, in which the pitch of a voice glides.
Frames of 40 ms follow it.

The textbook algorithm unwraps phase differences between frames and sums them. Where frames are read and written at the
same hop, that difference equals the rotation from one frame to the next, up to whole turns. So no angle is needed: a
rotation is a product of two unit complex numbers, and summing rotations is a cumulative product over time. While frames
are read one after the other, that product is the phase of the frame itself. So the product only needs the jumps: frames
that are read twice or skipped.
"""

import math

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from serkit.types import FloatArray

_OVERLAP = 4  # frames that cover each sample
_TINY = np.finfo(np.float32).tiny  # magnitudes below count as silence
_WINDOW_S = 0.04  # three periods of a low voice


def time_stretch(samples: FloatArray, rate: float, *, sampling_rate: int, n_fft: int | None = None) -> FloatArray:
    """Change the duration and keep the pitch.

    Args:
        samples: Waveform of shape (T,), or waveforms of shape (B, T).
        rate: Tempo factor; 2 halves the duration.
        sampling_rate: Sampling rate in Hz.
        n_fft: Samples of a frame, a multiple of 4; None for the power of two nearest to 40 ms.

    Returns:
        Waveform of shape (T',) or (B, T') with T' = round(T / rate), at least 1.

    Source:
        Flanagan and Golden, Phase vocoder, Bell System Technical Journal 45, 1966; the output is that of
        ``librosa.effects.time_stretch(n_fft=n_fft)``.
    """
    n_fft = n_fft or _frame_points(sampling_rate)
    hop = n_fft // _OVERLAP
    length = max(1, round(samples.shape[-1] / rate))
    if samples.ndim == 2:
        return np.stack([time_stretch(row, rate, sampling_rate=sampling_rate, n_fft=n_fft) for row in samples])
    window = np.float32(0.5) - np.float32(0.5) * np.cos(2 * np.pi / n_fft * np.arange(n_fft), dtype=np.float32)
    count = len(samples) // hop + 1
    padded = np.zeros((count - 1) * hop + n_fft, np.float32)
    padded[n_fft // 2 : n_fft // 2 + len(samples)] = samples
    frames = torch.from_numpy(padded).unfold(0, n_fft, hop) * torch.from_numpy(window)
    spectrum = _stretched(torch.fft.rfft(frames).numpy(), rate)
    frames = torch.fft.irfft(torch.from_numpy(spectrum), n_fft).numpy()  # (N', n_fft)
    frames *= window
    total = _overlapped(frames, hop)
    _divide_by_covering(total, np.square(window).reshape(_OVERLAP, hop))
    stretched = total.reshape(-1)[n_fft // 2 : n_fft // 2 + length]
    return np.pad(stretched, (0, length - len(stretched)))


def shift_pitch(
    samples: FloatArray, semitones: float, *, sampling_rate: int, rate: float = 1.0, n_fft: int | None = None
) -> FloatArray:
    """Change the pitch and keep the duration, or change both in one pass; formants move with the pitch.

    Args:
        samples: Waveform of shape (T,).
        semitones: Pitch shift in semitones, positive for higher, also fractional.
        sampling_rate: Sampling rate in Hz.
        rate: Tempo factor, as for :func:`time_stretch`.
        n_fft: Samples of a frame, as for :func:`time_stretch`.

    Returns:
        Waveform of shape (round(T / rate),), at least one sample.

    Source:
        A time stretch, then resampling to the wanted length, as in ``librosa.effects.pitch_shift``.
    """
    ratio = 2 ** (semitones / 12)
    length = max(1, round(len(samples) / rate))
    stretched = time_stretch(samples, rate / ratio, sampling_rate=sampling_rate, n_fft=n_fft)
    shifted = soxr.resample(stretched, ratio, 1.0, quality="HQ")[:length]
    return np.pad(shifted, (0, length - len(shifted)))


def _stretched(spectrum: NDArray[np.complex64], rate: float) -> NDArray[np.complex64]:
    """Read a spectrum (N, K) at steps of ``rate`` frames: (N', K)."""
    steps = np.arange(0, len(spectrum), rate)
    at = steps.astype(np.int64)
    share = (steps - at).astype(np.float32)[:, None]
    level = np.zeros((len(spectrum) + 1, spectrum.shape[1]), np.float32)  # the last row is silence
    np.abs(spectrum, out=level[:-1])
    scale = np.maximum(level[:-1], _TINY)
    direction = np.empty(level.shape, np.complex64)
    np.multiply(spectrum, np.reciprocal(scale, out=scale), out=direction[:-1])
    direction[level < _TINY] = 1  # silence has no phase, and a zero would zero the product
    stretched = direction[at]
    jumps = np.flatnonzero(at[1:] - at[:-1] != 1)
    turns = (
        direction[at[jumps] + 1] * direction[at[jumps + 1]].conj()
    )  # rotation from the frame after a jump to the expected one
    turns = torch.from_numpy(turns).cumprod(0).numpy()
    behind = np.searchsorted(jumps, np.arange(len(at)))  # number of jumps before each step
    first = int(np.searchsorted(behind, 1))
    stretched[first:] *= turns[behind[first:] - 1]
    below, above = level[at], level[at + 1]
    above -= below
    above *= share
    above += below
    stretched *= above
    return stretched


def _overlapped(frames: FloatArray, hop: int) -> FloatArray:
    """Overlap-add frames (N, n_fft) that start a hop apart: (N + 3, hop)."""
    total = np.zeros((len(frames) + _OVERLAP - 1, hop), np.float32)
    for i in range(_OVERLAP):
        total[i : i + len(frames)] += frames[:, i * hop : (i + 1) * hop]
    return total


def _divide_by_covering(total: FloatArray, squares: FloatArray) -> None:
    """Divide overlap-added frames (N' + 3, hop) by the sum of the squared windows, (4, hop), at each sample."""
    last = len(total) - _OVERLAP  # index of the last frame
    for row in {*range(_OVERLAP - 1), *range(last + 1, len(total))}:
        covering = squares[max(0, row - last) : row + 1].sum(0)
        covering[covering < _TINY] = 1  # no frame covers these samples
        total[row] /= covering
    total[_OVERLAP - 1 : last + 1] /= squares.sum(0)


def _frame_points(sampling_rate: int) -> int:
    """Return the power of two nearest to the window in samples, at least 16."""
    return 1 << max(4, round(math.log2(_WINDOW_S * sampling_rate)))
