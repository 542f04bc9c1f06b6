"""Chroma: how much of a frame's power falls on each of the twelve pitch classes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.power import map_power, mute_padding
from serkit.lab.signal.spectrum import FrameConfig, Stft

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_TINY = float(np.finfo(np.float32).tiny)  # below this librosa leaves a frame as it is


@dataclass(frozen=True)
class ChromaConfig(FrameConfig):
    """Settings of :class:`Chroma`.

    Attributes:
        tuning: Where A4 is, in semitones above 440 Hz.
    """

    tuning: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, tuning=-0.5 <= self.tuning <= 0.5)


class Chroma(Front):
    """Twelve pitch classes from C to B, each frame divided by its largest.

    It equals ``librosa.feature.chroma_stft(tuning=config.tuning)``.

    Deviation: librosa's default estimates the tuning of each recording, which means something in music and little in
    speech. Here it is a setting, 0 unless it is given.
    """

    filters: Tensor

    def __init__(self, config: ChromaConfig) -> None:
        super().__init__()
        self.config = config
        self.size = len(PITCH_CLASSES)
        self.stft = Stft(n_fft=config.n_fft, hop=config.hop)
        filters = chroma_filters(config.sampling_rate, config.n_fft, tuning=config.tuning)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)  # (12, K)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        chroma, frames = map_power(self.stft, waveform, lengths, lambda power: torch.matmul(power, self.filters.T))
        return normalize_peaks(chroma) * frame_mask(frames, chroma.shape[2])[:, None, :], frames


def normalize_peaks(chroma: Tensor) -> Tensor:
    """Divide each frame of (B, F, N) by its largest value; silence stays zero."""
    peak = chroma.amax(1, keepdim=True)
    return chroma / torch.where(peak < _TINY, 1.0, peak)


def chroma_filters(sampling_rate: int, n_fft: int, *, tuning: float = 0.0) -> NDArray[np.float32]:
    """Return how much each bin of a spectrum belongs to each pitch class, shape (12, n_fft // 2 + 1).

    A bin is a Gaussian bump around its own pitch, as wide as the bin is in semitones or one semitone, of unit length
    over the classes, and weighted by a Gaussian over octaves around the fifth above A0.

    Args:
        sampling_rate: In Hz.
        n_fft: Points of the transform.
        tuning: Where A4 is, in semitones above 440 Hz.

    Source: D. Ellis, Chroma feature analysis and synthesis, 2007, with the defaults of ``librosa.filters.chroma``.
    """
    classes = len(PITCH_CLASSES)
    hz = np.arange(1, n_fft) * sampling_rate / n_fft
    semitones = classes * np.log2(hz / (27.5 * 2 ** (tuning / classes)))  # above A0
    semitones = np.concatenate([semitones[:1] - 1.5 * classes, semitones])  # 0 Hz: an octave and a half below
    width = np.append(np.maximum(np.diff(semitones), 1.0), 1.0)
    from_class = semitones[None, :] - np.arange(classes)[:, None]  # class 0 is A
    distance = (from_class + classes / 2) % classes - classes / 2  # from the nearest octave of that class
    bumps: NDArray[np.float64] = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.sqrt((bumps**2).sum(0))
    bumps *= np.exp(-0.5 * ((semitones / classes - 5) / 2) ** 2)
    bumps = np.roll(bumps, -3, axis=0)  # from A to C
    return np.ascontiguousarray(bumps[:, : n_fft // 2 + 1], dtype=np.float32)
