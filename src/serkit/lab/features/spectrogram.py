"""The plain spectrogram, with one row for each bin of the Fourier transform."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.power import decibels, loudest, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft, check_window


@dataclass(frozen=True)
class SpectrogramConfig:
    """Settings of :class:`Spectrogram`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        n_fft: Points of the Fourier transform, which gives n_fft // 2 + 1 rows.
        window_ms: Length of the Hann window in ms.
        hop_ms: Step between frames in ms.
        scale: ``magnitude``, ``power`` (its square) or ``decibel``.
        top_db: Range of the ``decibel`` scale below the utterance's loudest value; smaller levels are raised to its
            lower end.
        reference: Magnitude at 0 dB: ``one``, or the utterance's ``loudest``.
    """

    sampling_rate: int = 16_000
    n_fft: int = 512
    window_ms: float = 25.0
    hop_ms: float = 10.0
    scale: Literal["magnitude", "power", "decibel"] = "decibel"
    top_db: float = 80.0
    reference: Literal["one", "loudest"] = "one"

    def __post_init__(self) -> None:
        check_window(self.window_ms, self.sampling_rate, self.n_fft)
        require(
            self,
            sampling_rate=self.sampling_rate > 0,
            n_fft=self.n_fft % 2 == 0,
            window_ms=self.window_ms * self.sampling_rate >= 1000,
            hop_ms=self.hop_ms * self.sampling_rate >= 1000,
            scale=self.scale in ("magnitude", "power", "decibel"),
            top_db=self.top_db > 0,
            reference=self.reference in ("one", "loudest"),
        )


class Spectrogram(Front):
    """Magnitude, power or level of each bin: waveform (B, T) to frames (B, F, N).

    The features equal the magnitude of ``librosa.stft(pad_mode="constant")``, its square, or its
    ``librosa.amplitude_to_db`` with ``ref=1.0`` (``reference="one"``) or ``ref=np.max`` (``reference="loudest"``).
    """

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__()
        self.config = config
        self.size = config.n_fft // 2 + 1
        window = round(config.sampling_rate * config.window_ms / 1000)
        hop = round(config.sampling_rate * config.hop_ms / 1000)
        self.stft = Stft(n_fft=config.n_fft, hop=hop, window=window)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        values, frames = map_power(self.stft, waveform, lengths, lambda power: power)
        mask = frame_mask(frames, values.shape[2])[:, None, :]
        if self.config.scale == "magnitude":
            values = values.sqrt()
        elif self.config.scale == "decibel":
            values = decibels(values, mask, top_db=self.config.top_db)
            if self.config.reference == "loudest":
                values = values - loudest(values, mask)
        return values * mask, frames
