"""Mel-frequency cepstral coefficients (MFCC), with deltas and cepstral normalization."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.cepstrum import cepstrum, cosine_transform, delta, derivative_weights
from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.power import Bands, decibels, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft, check_window

_WIDTH = 9  # frames to which a derivative is fitted
_DEVIATION_FLOOR = 1e-4  # added to a variance before its root divides, so that a constant coefficient becomes 0


@dataclass(frozen=True)
class MfccConfig:
    """Settings of :class:`Mfcc`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        n_mfcc: Number of coefficients, including the zeroth.
        bands: Number of mel bands.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window in ms.
        hop_ms: Step between frames in ms.
        fmin: Lowest frequency in Hz.
        fmax: Highest frequency in Hz; None for half the sampling rate.
        top_db: Range below the utterance's loudest band in dB; smaller levels are raised to its lower end.
        deltas: Number of derivatives along frames to append: 0, 1 (the first) or 2 (the first and the second).
        normalize: ``mean``: each coefficient to mean 0 over the utterance's own frames; ``deviation``: also to
            deviation 1; ``none``.
    """

    sampling_rate: int = 16_000
    n_mfcc: int = 40
    bands: int = 128
    n_fft: int = 1024
    window_ms: float = 25.0
    hop_ms: float = 10.0
    fmin: float = 0.0
    fmax: float | None = None
    top_db: float = 80.0
    deltas: int = 0
    normalize: Literal["none", "mean", "deviation"] = "none"

    def __post_init__(self) -> None:
        check_window(self.window_ms, self.sampling_rate, self.n_fft)
        fmax = self.sampling_rate / 2 if self.fmax is None else self.fmax
        require(
            self,
            sampling_rate=self.sampling_rate > 0,
            bands=self.bands >= 1,
            n_mfcc=1 <= self.n_mfcc <= self.bands,
            n_fft=self.n_fft % 2 == 0,
            window_ms=self.window_ms * self.sampling_rate >= 1000,
            hop_ms=self.hop_ms * self.sampling_rate >= 1000,
            fmin=0 <= self.fmin < fmax,
            fmax=fmax <= self.sampling_rate / 2,
            top_db=self.top_db > 0,
            deltas=self.deltas in (0, 1, 2),
            normalize=self.normalize in ("none", "mean", "deviation"),
        )


class Mfcc(Front):
    """Cepstral coefficients of a mel spectrogram in dB: waveform (B, T) to frames (B, F, N).

    Without normalization the features equal ``librosa.feature.mfcc`` and ``librosa.feature.delta(width=9)`` with the
    same settings. Deviation: an utterance of fewer than nine frames, for which librosa's default ``mode="interp"``
    raises an error, gets the deltas of ``mode="nearest"``.

    Source: S. Davis and P. Mermelstein, Comparison of parametric representations for monosyllabic word recognition,
    1980; deltas: A. Savitzky and M. Golay, 1964.
    """

    dct: Tensor
    slopes: Tensor

    def __init__(self, config: MfccConfig) -> None:
        super().__init__()
        self.config = config
        self.size = config.n_mfcc * (1 + config.deltas)
        window = round(config.sampling_rate * config.window_ms / 1000)
        hop = round(config.sampling_rate * config.hop_ms / 1000)
        self.stft = Stft(n_fft=config.n_fft, hop=hop, window=window)
        mel = mel_filters(config.sampling_rate, config.n_fft, config.bands, config.fmin, config.fmax)
        self.mel = Bands(mel)
        self.register_buffer("dct", torch.from_numpy(cosine_transform(config.n_mfcc, config.bands)), persistent=False)
        self.register_buffer("slopes", torch.from_numpy(derivative_weights(_WIDTH)), persistent=False)  # (2, 9)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        mel, frames = map_power(self.stft, waveform, lengths, self.mel)
        mask = frame_mask(frames, mel.shape[2])[:, None, :]
        mfcc = cepstrum(decibels(mel, mask, top_db=self.config.top_db), mask, self.dct)  # (B, n_mfcc, N)
        if self.config.deltas:
            orders = range(self.config.deltas)
            mfcc = torch.cat([mfcc, *(delta(mfcc, frames, self.slopes[order]) for order in orders)], dim=1)
        if self.config.normalize != "none":
            mfcc = mfcc - mfcc[:, :, :1]  # a constant coefficient becomes exactly 0, without rounding errors
            mean, deviation = masked_mean_and_deviation(mfcc, mask.to(mfcc.dtype), (2,), _DEVIATION_FLOOR)
            mfcc = mfcc - mean
            if self.config.normalize == "deviation":
                mfcc = mfcc / deviation
        return mfcc * mask, frames
