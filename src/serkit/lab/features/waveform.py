"""The waveform itself, for networks that read samples."""

from dataclasses import dataclass

from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import audible_range, keep_columns
from serkit.lab.signal.mel import LogMelSpectrogram, decibels_to_log_power, frame_log_power
from serkit.lab.signal.power import mute_padding

_BANDS, _WINDOW_MS, _HOP_MS, _FLOOR = 64, 25.0, 10.0, 1e-6  # the defaults of the logmel feature


@dataclass(frozen=True)
class WaveformConfig:
    """Settings of :class:`Waveform`.

    Attributes:
        sampling_rate: Sampling rate in Hz.
        trim_db: Level below the loudest frame, in dB, beyond which leading and trailing frames are cut; None keeps all.
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
    """Samples of a waveform (B, T) as frames (B, 1, T) of one sample each, optionally with silence cut at both ends.

    A frame is silent if :class:`~serkit.lab.features.logmel.LogMel` with the same ``trim_db`` would cut it. Every
    sample inside one of the remaining frames is kept.
    """

    def __init__(self, config: WaveformConfig) -> None:
        super().__init__()
        self.config = config
        self.size = 1
        points = 1 << (round(config.sampling_rate * _WINDOW_MS / 1000) - 1).bit_length()
        rate = config.sampling_rate
        self.spectrogram = LogMelSpectrogram(
            sampling_rate=rate, bands=_BANDS, n_fft=max(points, 512), window_ms=_WINDOW_MS, hop_ms=_HOP_MS, floor=_FLOOR
        )

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        samples = mute_padding(waveform, lengths)[:, None, :]  # (B, 1, T)
        if self.config.trim_db is None:
            return samples, lengths
        logmel, frames = self.spectrogram(waveform, lengths)
        first, last = audible_range(frame_log_power(logmel), frames, decibels_to_log_power(self.config.trim_db))
        around, hop = self.spectrogram.window // 2, self.spectrogram.hop
        begin = (first * hop - around).clamp(min=0)
        end = (last * hop + around).minimum(lengths)
        return keep_columns(samples, begin, end - begin)
