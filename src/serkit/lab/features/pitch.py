"""Pitch and voicing strength of each frame."""

from dataclasses import dataclass

import torch
from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.signal.pitch_track import PitchTrack, PitchTrackConfig
from serkit.lab.signal.power import map_power, mute_padding
from serkit.lab.signal.spectrum import Stft


@dataclass(frozen=True)
class PitchConfig(PitchTrackConfig):
    """Settings of :class:`Pitch`."""


class Pitch(Front):
    """Fundamental frequency in Hz (0 where unvoiced) and voicing strength: waveform (B, T) to frames (B, 2, N).

    The pitch tracker is :class:`serkit.lab.signal.pitch_track.PitchTrack`.
    """

    def __init__(self, config: PitchConfig) -> None:
        super().__init__()
        self.config = config
        self.size = 2
        window = round(config.sampling_rate * config.window_ms / 1000)
        self.stft = Stft(n_fft=config.n_fft, hop=round(config.sampling_rate * config.hop_ms / 1000), window=window)
        self.track = PitchTrack(config, window=window)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        candidates, frames = map_power(self.stft, mute_padding(waveform, lengths), lengths, self.track.candidates)
        voice = self.track.choose(candidates.transpose(1, 2), frames)
        return torch.stack([voice.f0, voice.strength], 1), frames
