"""Chroma: the power of each frame in each of the twelve pitch classes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.pitch_classes import PITCH_CLASSES, chroma_filters, normalize_peaks
from serkit.lab.signal.power import map_power, mute_padding
from serkit.lab.signal.spectrum import FrameConfig, Stft


@dataclass(frozen=True)
class ChromaConfig(FrameConfig):
    """Settings of :class:`Chroma`.

    Attributes:
        tuning: Pitch of A4 in semitones above 440 Hz.
    """

    tuning: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, tuning=-0.5 <= self.tuning <= 0.5)


class Chroma(Front):
    """Power in the twelve pitch classes from C to B, divided by the frame's largest: waveform (B, T) to (B, 12, N).

    The features equal ``librosa.feature.chroma_stft(tuning=config.tuning)``.

    Deviation: by default, librosa estimates the tuning of each recording, which is meaningful for music and hardly for
    speech. Here the tuning is a setting, by default 0.
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
