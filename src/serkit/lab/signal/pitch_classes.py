"""Pitch classes: filters from a spectrum to the twelve semitones of an octave, as chroma features use them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_TINY = float(np.finfo(np.float32).tiny)  # librosa does not normalize a frame whose largest value is below this


def normalize_peaks(chroma: Tensor) -> Tensor:
    """Divide each frame of (B, F, N) by its largest value; silence stays zero."""
    peak = chroma.amax(1, keepdim=True)
    return chroma / torch.where(peak < _TINY, 1.0, peak)


def chroma_filters(sampling_rate: int, n_fft: int, *, tuning: float = 0.0) -> NDArray[np.float32]:
    """Return the share of each spectral bin in each pitch class, shape (12, n_fft // 2 + 1).

    A bin's shares are a Gaussian around its own pitch, as wide as the bin is in semitones, but at least one semitone.
    They are normalized to unit length over the classes, and weighted by a Gaussian over octaves whose center is five
    octaves above A0.

    Args:
        sampling_rate: Sampling rate in Hz.
        n_fft: Points of the Fourier transform.
        tuning: Pitch of A4 in semitones above 440 Hz.

    Source: D. Ellis, Chroma feature analysis and synthesis, 2007, with the defaults of ``librosa.filters.chroma``.
    """
    classes = len(PITCH_CLASSES)
    hz = np.arange(1, n_fft) * sampling_rate / n_fft
    semitones = classes * np.log2(hz / (27.5 * 2 ** (tuning / classes)))  # above A0
    semitones = np.concatenate([semitones[:1] - 1.5 * classes, semitones])  # 0 Hz: an octave and a half below bin 1
    width = np.append(np.maximum(np.diff(semitones), 1.0), 1.0)
    from_class = semitones[None, :] - np.arange(classes)[:, None]  # class 0 is A
    distance = (from_class + classes / 2) % classes - classes / 2  # from the nearest octave of that class
    bumps: NDArray[np.float64] = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.sqrt((bumps**2).sum(0))
    bumps *= np.exp(-0.5 * ((semitones / classes - 5) / 2) ** 2)
    bumps = np.roll(bumps, -3, axis=0)  # from A to C
    return np.ascontiguousarray(bumps[:, : n_fft // 2 + 1], dtype=np.float32)
