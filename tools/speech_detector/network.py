"""A speech detector with a fixed receptive field: log-mel bands and a few dilated convolutions without padding.

Nothing is padded, and nothing is normalized over a file. So the probability of a frame depends only on the samples
around it, and is the same for a stream, a file in blocks, and a whole file.

    waveform -> DFT of 20 ms every 10 ms -> 32 mel bands, logarithm -> stride to 20 ms -> dilated blocks -> probability
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.recipes.config import require
from serkit.lab.signal.mel import mel_filters
from speech_detector.spectra import HOP

SAMPLING_RATE: Final = 16_000
_WINDOW = 320
_STEP = HOP // 2  # samples between spectra
_FLOOR = 1e-8  # power added to a band, that of white noise at -84 dB of full scale


@dataclass(frozen=True)
class DetectorConfig:
    """Size of a detector.

    Attributes:
        bands: Number of mel bands.
        fmin: Lowest frequency in Hz, above an offset and most of the mains hum.
        fmax: Highest frequency in Hz.
        channels: Channels of every layer.
        looks: Frames of 20 ms that each block looks back and ahead: either equal numbers, or an even number back and
            0 ahead.
    """

    bands: int = 32
    fmin: float = 80.0
    fmax: float = 7_600.0
    channels: int = 48
    looks: tuple[tuple[int, int], ...] = ((1, 1), (2, 2), (4, 4), (16, 0), (24, 0))

    def __post_init__(self) -> None:
        require(
            self,
            bands=self.bands >= 1,
            fmin=0 <= self.fmin < self.fmax,
            fmax=self.fmax <= SAMPLING_RATE / 2,
            channels=self.channels >= 1,
            looks=all(back > 0 and (ahead == back or (ahead == 0 and back % 2 == 0)) for back, ahead in self.looks),
        )


class Detector(nn.Module):
    """Speech detector: waveform (B, T) to the probability of speech (B, N), N = (T - left - right) // 320.

    Frame n covers the samples from ``left + 320 n`` to ``left + 320 (n + 1)``. Its probability also depends on ``left``
    samples before and ``right`` samples after them.
    """

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DetectorConfig()
        self.left = sum(back for back, _ in config.looks) * HOP
        self.right = sum(ahead for _, ahead in config.looks) * HOP + _WINDOW - _STEP
        self.bands = LogBands(config)
        self.body = nn.Sequential(
            nn.BatchNorm1d(config.bands),
            nn.Conv1d(config.bands, config.channels, 2, stride=2, bias=False),
            nn.BatchNorm1d(config.channels),
            nn.ReLU(),
            *(Block(config.channels, back, ahead) for back, ahead in config.looks),
            nn.Conv1d(config.channels, 1, 1),
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Return probabilities (B, N) for a waveform (B, T)."""
        return self.logits(self.bands(waveform)).sigmoid()

    def logits(self, logmel: Tensor) -> Tensor:
        """Return log-odds (B, N) for log-mel bands (B, F, 10 ms frames)."""
        answer: Tensor = self.body(logmel)
        return answer.squeeze(1)


class LogBands(nn.Module):
    """Log-mel bands: waveform (B, T) to (B, F, M), M = 1 + (T - 320) // 160.

    The cosines and sines are looked up in a table of one period. So the exported file holds the table and not the
    kernels, which are more than twice as large as the rest of the file. ONNX Runtime computes them once, when it opens
    the file.
    """

    time: Tensor
    orders: Tensor
    period: Tensor
    hann: Tensor
    mel: Tensor

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        mel = torch.from_numpy(mel_filters(SAMPLING_RATE, _WINDOW, config.bands, config.fmin, config.fmax))
        used = mel.any(0).nonzero().flatten()
        low, high = int(used[0]), int(used[-1]) + 1
        time = torch.arange(_WINDOW)
        period = torch.cos(2 * math.pi * time.double() / _WINDOW)
        for name, value in {
            "time": time,
            "orders": torch.arange(low, high),  # indices of the K bins that the filters cover
            "period": period.float(),
            "hann": (0.5 - 0.5 * period).float(),
            "mel": mel[:, low:high].contiguous(),  # (F, K)
        }.items():
            self.register_buffer(name, value)

    def kernels(self) -> Tensor:
        """Return Hann-windowed cosines and negative sines, shape (2 K, 1, 320)."""
        phase = self.orders[:, None] * self.time % _WINDOW
        quarter = (phase + _WINDOW // 4) % _WINDOW  # a cosine, a quarter period ahead, is a negative sine
        return (torch.cat([self.period[phase], self.period[quarter]]) * self.hann)[:, None, :]

    def forward(self, waveform: Tensor) -> Tensor:
        """Return log-mel bands (B, F, M) for a waveform (B, T)."""
        spectrum = functional.conv1d(waveform[:, None, :], self.kernels(), stride=_STEP)  # (B, 2K, M)
        real, imaginary = spectrum.chunk(2, dim=1)
        power = real.square() + imaginary.square()  # (B, K, M)
        return (torch.matmul(self.mel, power) + _FLOOR).log()


class Block(nn.Module):
    """Residual convolution over three evenly spaced frames, centered at the current frame or ending at it.

    Args:
        channels: Channels of input and output.
        back: Frames that the convolution looks back.
        ahead: Frames that the convolution looks ahead, equal to ``back`` or 0.
    """

    def __init__(self, channels: int, back: int, ahead: int) -> None:
        super().__init__()
        self.back, self.ahead = back, ahead
        self.conv = nn.Conv1d(channels, channels, 3, dilation=(back + ahead) // 2, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Turn (B, C, N) into (B, C, N - back - ahead)."""
        kept = hidden[:, :, self.back : -self.ahead or None]
        answer: Tensor = kept + self.norm(self.conv(hidden)).relu()
        return answer
