"""Time stretch and pitch shift by a phase vocoder, faster than librosa's and equal to it for frames of one size.

librosa's frames of 2048 points are made for music: 128 ms at 16 kHz, over which a voice glides. Frames of 40 ms
follow it.

Where frames are read and written at the same hop, the phase that the textbook unwraps before it adds it up is the
turn from one frame to the next, whole circles apart. So no angle is ever needed: a turn is the product of two unit
numbers, and adding up turns is a product along time.
"""

import math

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from serkit.types import FloatArray

_OVERLAP = 4  # frames over each sample
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
    window = np.float32(0.5) - np.float32(0.5) * np.cos(2 * np.pi / n_fft * np.arange(n_fft), dtype=np.float32)
    padded = np.pad(np.atleast_2d(samples), ((0, 0), (n_fft // 2, n_fft // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop] * window
    spectrum = torch.fft.rfft(torch.from_numpy(frames)).numpy()  # (B, N, K)
    frames = torch.fft.irfft(torch.from_numpy(_stretched(spectrum, rate)), n_fft).numpy()  # (B, N', n_fft)
    frames *= window
    covering = _overlapped(np.broadcast_to(np.square(window), (1, *frames.shape[1:])), hop)
    covering[covering < np.finfo(np.float32).tiny] = 1  # at the ends, where no frame reaches
    middle = slice(n_fft // 2, n_fft // 2 + length)
    stretched = _overlapped(frames, hop)[:, middle] / covering[:, middle]
    stretched = np.pad(stretched, ((0, 0), (0, length - stretched.shape[1])))
    return stretched.reshape(*samples.shape[:-1], length)


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
    """Read a spectrum (B, N, K) at steps of ``rate`` frames: (B, N', K)."""
    steps = np.arange(0, spectrum.shape[1], rate)
    at = steps.astype(np.int64)
    share = (steps - at).astype(np.float32)[:, None]
    spectrum = np.pad(spectrum, ((0, 0), (0, 2), (0, 0)))
    level = np.abs(spectrum)
    silent = level < np.finfo(np.float32).tiny
    direction = spectrum * (1 / np.where(silent, 1, level))
    direction[silent] = 1  # it has no phase, and a zero would end the product
    turns = direction[:, :-1].conj()
    turns *= direction[:, 1:]
    stretched = np.concatenate([direction[:, :1], turns[:, at[:-1]]], axis=1)
    for step in range(1, len(at)):  # a product along time, three times as fast as numpy's own
        stretched[:, step] *= stretched[:, step - 1]
    below, above = level[:, at], level[:, at + 1]
    above -= below
    above *= share
    above += below
    stretched *= above
    return stretched


def _overlapped(frames: FloatArray, hop: int) -> FloatArray:
    """Add up frames (B, N, n_fft) that start a hop apart: (B, T)."""
    count = frames.shape[1]
    total = np.zeros((len(frames), count + _OVERLAP - 1, hop), np.float32)
    for i in range(_OVERLAP):
        total[:, i : i + count] += frames[:, :, i * hop : (i + 1) * hop]
    return total.reshape(len(frames), -1)


def _frame_points(sampling_rate: int) -> int:
    """Return the power of two that is nearest to the window in samples, 16 at least."""
    return 1 << max(4, round(math.log2(_WINDOW_S * sampling_rate)))
