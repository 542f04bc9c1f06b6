"""Mel filters, and the log-mel spectrogram computed as a convolution.

A short-time Fourier transform is a strided convolution with windowed cosines and sines. In this form it exports as one
ONNX operator, matches librosa to float32 precision, and runs about ten times faster in ONNX Runtime than an exported
``torch.stft``. The kernels are as long as the window and shorter than the transform: the zeros around a centered window
change only phases, which the power spectrum does not have. Outside an export the same frames go through
:mod:`serkit.lab.signal.power`, which is four times faster on a CPU.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.signal.power import Bands, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft, is_exporting

_HZ_PER_MEL = 200.0 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = math.log(6.4) / 27


class LogMelSpectrogram(nn.Module):
    """Log-mel spectrogram of a waveform.

    It equals ``librosa.feature.melspectrogram(center=True, pad_mode="constant", htk=False, norm="slaney")`` followed by
    ``log(x + floor)``.

    Args:
        sampling_rate: Sampling rate of the waveform in Hz.
        bands: Number of mel bands, F.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window in ms.
        hop_ms: Step between frames in ms.
        fmin: Lowest frequency in Hz.
        fmax: Highest frequency in Hz; None for half the sampling rate.
        floor: Power that is added before the logarithm.

    Attributes:
        window: Samples of the Hann window.
        hop: Samples between frames.
        stft: Short-time Fourier transform with this window and hop.
        bands: Mel filters, from power to mel bands.
    """

    kernels: Tensor
    mel: Tensor

    def __init__(
        self, *, sampling_rate: int, bands: int, n_fft: int, window_ms: float, hop_ms: float, fmin: float = 0.0,
        fmax: float | None = None, floor: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.n_fft, self.floor = n_fft, floor
        self.hop = round(sampling_rate * hop_ms / 1000)
        self.window = round(sampling_rate * window_ms / 1000)
        kernels = torch.from_numpy(dft_kernels(self.window, n_fft))
        self.register_buffer("kernels", kernels, persistent=False)  # (2 * K, 1, window)
        mel = mel_filters(sampling_rate, n_fft, bands, fmin, fmax)
        self.register_buffer("mel", torch.from_numpy(mel), persistent=False)  # (F, K)
        self.stft, self.bands = Stft(n_fft=n_fft, hop=self.hop, window=self.window), Bands(mel)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the log-mel spectrogram of a batch.

        Args:
            waveform: Waveforms (B, T); samples after an utterance's end are ignored.
            lengths: Number of valid samples (B,).

        Returns:
            Log-mel spectrogram (B, F, N), N = 1 + T // hop, not masked, and the number of valid frames (B,).
        """
        waveform = mute_padding(waveform, lengths)
        if not is_exporting():
            bands, frames = map_power(self.stft, waveform, lengths, self.bands)
            return (bands + self.floor).log(), frames
        before = self.n_fft // 2 - (self.n_fft - self.window) // 2  # samples from the window's start to its center
        padded = functional.pad(waveform[:, None, :], (before, self.window - before))
        spectrum = functional.conv1d(padded, self.kernels, stride=self.hop)  # (B, 2K, N)
        real, imaginary = spectrum.chunk(2, dim=1)
        power = real.square() + imaginary.square()  # (B, K, N)
        return (torch.matmul(self.mel, power) + self.floor).log(), lengths // self.hop + 1


def frame_log_power(logmel: Tensor) -> Tensor:
    """Return the logarithm of each frame's power over all bands, (B, N), from a log-mel spectrogram (B, F, N)."""
    return logmel.exp().sum(1).log()


def decibels_to_log_power(decibels: float) -> float:
    """Convert a level difference in dB to a difference of natural logarithms of power."""
    return decibels * math.log(10) / 10


def dft_kernels(window: int, n_fft: int) -> NDArray[np.float32]:
    """Return Hann-windowed cosines and negative sines, shape (2 * (n_fft // 2 + 1), 1, window)."""
    time = np.arange(window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * time / window)  # periodic, as librosa's and scipy's fftbins
    angle = 2 * np.pi * np.arange(n_fft // 2 + 1)[:, None] * time[None, :] / n_fft
    kernels = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann
    return kernels[:, None, :].astype(np.float32)


def mel_filters(
    sampling_rate: int, n_fft: int, bands: int, fmin: float = 0.0, fmax: float | None = None
) -> NDArray[np.float32]:
    """Return triangular filters of equal area on Slaney's mel scale, shape (bands, n_fft // 2 + 1).

    Args:
        sampling_rate: Sampling rate in Hz.
        n_fft: Points of the Fourier transform.
        bands: Number of filters.
        fmin: Lowest frequency in Hz.
        fmax: Highest frequency in Hz; None for half the sampling rate.

    Source: M. Slaney, Auditory Toolbox, 1998: linear below 1 kHz, logarithmic above.
    """
    edges = _mel_to_hz(np.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax or sampling_rate / 2), bands + 2))
    bins = np.linspace(0, sampling_rate / 2, n_fft // 2 + 1)
    low, center, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (center - low), (high - bins) / (high - center)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * 2.0 / (high - low)).astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _HZ_PER_MEL
    return _BREAK_HZ / _HZ_PER_MEL + math.log(hz / _BREAK_HZ) / _LOG_STEP


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = mel - _BREAK_HZ / _HZ_PER_MEL
    return np.where(above < 0, mel * _HZ_PER_MEL, _BREAK_HZ * np.exp(_LOG_STEP * np.maximum(above, 0.0)))
