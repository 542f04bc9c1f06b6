"""The waveform itself, for networks that compute from it what they read."""

from dataclasses import dataclass

from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.features.logmel import LogMel, LogMelConfig, level_of, nepers
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import cut, sounding
from serkit.lab.signal.power import mute_padding

_WINDOW_MS = 25.0


@dataclass(frozen=True)
class WaveformConfig:
    """Settings of :class:`Waveform`.

    Attributes:
        sampling_rate: In Hz.
        trim_db: What comes before the first and after the last frame that is at most this far below the loudest one
            is cut; None keeps all.
    """

    sampling_rate: int = 16_000
    trim_db: float | None = None

    def __post_init__(self) -> None:
        require(
            self,
            sampling_rate=self.sampling_rate * _WINDOW_MS >= 1000,
            trim_db=self.trim_db is None or self.trim_db > 0,
        )


class Waveform(Front):
    """Samples as they are, (B, T) to frames (B, 1, T) of one sample each, with silence cut off both ends where asked.

    Which frames are silent is what :class:`~serkit.lab.features.logmel.LogMel` says with the same ``trim_db``; kept is
    every sample that one of the others sees, so that no sound is cut with them.
    """

    def __init__(self, config: WaveformConfig) -> None:
        super().__init__()
        self.config = config
        self.size = 1
        points = 1 << (round(config.sampling_rate * _WINDOW_MS / 1000) - 1).bit_length()
        rate = config.sampling_rate
        self.loudness = LogMel(LogMelConfig(rate, window_ms=_WINDOW_MS, n_fft=max(points, 512)))

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        samples = mute_padding(waveform, lengths)[:, None, :]  # (B, 1, T)
        if self.config.trim_db is None:
            return samples, lengths
        logmel, frames = self.loudness.logmel(waveform, lengths)
        first, last = sounding(level_of(logmel), frames, nepers(self.config.trim_db))
        around, hop = self.loudness.window // 2, self.loudness.hop
        begin = (first * hop - around).clamp(min=0)
        end = (last * hop + around).minimum(lengths)
        return cut(samples, begin, end - begin)
