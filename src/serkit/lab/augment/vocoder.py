"""Time stretch and pitch shift by a phase vocoder, faster than librosa's and equal to it for frames of one size.

librosa's frames of 2048 points are made for music: 128 ms at 16 kHz, over which a voice glides. Frames of 40 ms
follow it.

Where frames are read and written at the same hop, the phase that the textbook unwraps before it adds it up is the
turn from one frame to the next, whole circles apart. So no angle is ever needed: a turn is the product of two unit
numbers, and adding up turns is a product along time. As long as frames are read one after the other, that product is
the phase of the frame itself, so it is taken over the jumps alone: the frames that are read twice, or passed over.
"""

import math

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from serkit.types import FloatArray

_OVERLAP = 4  # frames over each sample
_TINY = np.finfo(np.float32).tiny  # below this there is silence
_WINDOW_S = 0.04  # three periods of a low voice


def time_stretch(samples: FloatArray, rate: float, *, sampling_rate: int, n_fft: int | None = None) -> FloatArray:
    """Change the duration and keep the pitch.

    Args:
        samples: Shape (T,) or (B, T).
        rate: How much faster: 2 halves the duration.
        sampling_rate: In Hz.
        n_fft: Points of a frame, a multiple of 4; None for the power of two nearest to 40 ms.

    Returns:
        Shape (T',) or (B, T'), T' = round(T / rate), at least 1.

    Source:
        Flanagan and Golden, Phase vocoder, Bell System Technical Journal 45, 1966; the numbers are those of
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
    """Change the pitch and keep the duration, or stretch it on the way; formants move along.

    Args:
        samples: Shape (T,).
        semitones: Upwards; fractions are fine.
        sampling_rate: In Hz.
        rate: How much faster, as for :func:`time_stretch`; one pass does both.
        n_fft: As for :func:`time_stretch`.

    Returns:
        Shape (round(T / rate),), at least 1.

    Source:
        A stretch, resampled to the length that is asked for, as ``librosa.effects.pitch_shift``.
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
    level = np.zeros((len(spectrum) + 1, spectrum.shape[1]), np.float32)  # silence follows
    np.abs(spectrum, out=level[:-1])
    scale = np.maximum(level[:-1], _TINY)
    direction = np.empty(level.shape, np.complex64)
    np.multiply(spectrum, np.reciprocal(scale, out=scale), out=direction[:-1])
    direction[level < _TINY] = 1  # silence has no phase, and a zero would end the product
    stretched = direction[at]
    jumps = np.flatnonzero(at[1:] - at[:-1] != 1)
    turns = direction[at[jumps] + 1] * direction[at[jumps + 1]].conj()  # from where a jump leads to where it should
    turns = torch.from_numpy(turns).cumprod(0).numpy()
    behind = np.searchsorted(jumps, np.arange(len(at)))  # jumps before each step
    first = int(np.searchsorted(behind, 1))
    stretched[first:] *= turns[behind[first:] - 1]
    below, above = level[at], level[at + 1]
    above -= below
    above *= share
    above += below
    stretched *= above
    return stretched


def _overlapped(frames: FloatArray, hop: int) -> FloatArray:
    """Add up frames (N, n_fft) that start a hop apart: (N + 3, hop)."""
    total = np.zeros((len(frames) + _OVERLAP - 1, hop), np.float32)
    for i in range(_OVERLAP):
        total[i : i + len(frames)] += frames[:, i * hop : (i + 1) * hop]
    return total


def _divide_by_covering(total: FloatArray, squares: FloatArray) -> None:
    """Divide overlapped frames (N' + 3, hop) by how much of the windows' squares, (4, hop), lies over each sample."""
    last = len(total) - _OVERLAP  # number of the last frame
    for row in {*range(_OVERLAP - 1), *range(last + 1, len(total))}:
        covering = squares[max(0, row - last) : row + 1].sum(0)
        covering[covering < _TINY] = 1  # where no frame reaches
        total[row] /= covering
    total[_OVERLAP - 1 : last + 1] /= squares.sum(0)


def _frame_points(sampling_rate: int) -> int:
    """Return the power of two that is nearest to the window in samples, 16 at least."""
    return 1 << max(4, round(math.log2(_WINDOW_S * sampling_rate)))
