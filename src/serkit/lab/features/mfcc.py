"""Mel-frequency cepstral coefficients, with deltas and cepstral normalization."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.features.logmel import mel_filters
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation
from serkit.lab.signal.power import Bands, decibels, loudest, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft, check_window

_WIDTH = 9  # frames that a slope is fitted to
_DEVIATION_FLOOR = 1e-4  # of a variance: a constant coefficient becomes 0


@dataclass(frozen=True)
class MfccConfig:
    """Settings of :class:`Mfcc`.

    Attributes:
        sampling_rate: In Hz, of the waveform.
        n_mfcc: Coefficients, the zeroth among them.
        bands: Mel bands that they are made of.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window.
        hop_ms: Step between frames.
        fmin: Lowest frequency in Hz.
        fmax: Highest frequency in Hz, or None for half the sampling rate.
        top_db: Bands this far below the utterance's loudest are raised to that.
        deltas: 1 appends the first derivative by frames, 2 the second one too.
        normalize: ``mean``: each coefficient to mean 0 over the utterance's own frames; ``deviation``: to deviation 1
            as well; ``none``.
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
    """Cepstral coefficients of a mel spectrogram in dB.

    Without normalization it equals ``librosa.feature.mfcc`` and ``librosa.feature.delta(width=9)`` of the same
    settings. Deviation: an utterance of fewer than nine frames, where librosa refuses its default of
    ``mode="interp"``, gets the deltas of ``mode="nearest"``.

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
        self.register_buffer("slopes", torch.from_numpy(_derivatives(_WIDTH)), persistent=False)  # (2, 9)

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
            mfcc = mfcc - mfcc[:, :, :1]  # what never changes becomes exactly 0, not what rounding leaves of it
            mean, deviation = masked_mean_and_deviation(mfcc, mask.to(mfcc.dtype), (2,), _DEVIATION_FLOOR)
            mfcc = mfcc - mean
            if self.config.normalize == "deviation":
                mfcc = mfcc / deviation
        return mfcc * mask, frames


def cosine_transform(coefficients: int, bands: int) -> NDArray[np.float32]:
    """Return the first rows of the orthonormal DCT-II, shape (coefficients, bands)."""
    order, band = np.arange(coefficients)[:, None], np.arange(bands)[None, :]
    matrix: NDArray[np.float64] = np.sqrt(2 / bands) * np.cos(np.pi * order * (2 * band + 1) / (2 * bands))
    matrix[0] = 1 / math.sqrt(bands)
    return matrix.astype(np.float32)


def cepstrum(level: Tensor, mask: Tensor, dct: Tensor) -> Tensor:
    """Transform levels (B, bands, N) in dB to cepstral coefficients (B, n, N).

    A level common to all bands is the zeroth coefficient's alone. The loudest is taken out before and put back there,
    so that silence has exactly no other coefficient, rather than what rounding leaves of sums of -100 dB.

    Args:
        level: Shape (B, bands, N).
        mask: Shape (B, 1, N), True where a frame is valid.
        dct: The :func:`cosine_transform`, shape (n, bands).
    """
    top = loudest(level, mask)  # (B, 1, 1)
    others = torch.zeros_like(dct[1:, 0]).expand(top.shape[0], -1)[:, :, None]
    common = torch.cat([top * dct[0].sum(), others], dim=1)  # (B, n, 1)
    return torch.matmul(dct, level - top) + common


def delta(features: Tensor, frames: Tensor, slope: Tensor) -> Tensor:
    """Differentiate along time by a polynomial fitted to the frames around each.

    A polynomial of the derivative's own degree has one derivative everywhere: near an utterance's ends it is that of
    the outermost frame which has enough neighbors. Where there is none, the first and last frame are repeated.

    Args:
        features: Shape (B, F, N); what lies behind an utterance's end has no influence.
        frames: Valid frames, shape (B,).
        slope: Weights of the frames from the first to the last neighbor, of odd size.

    Returns:
        Shape (B, F, N), per frame.
    """
    half = slope.shape[0] // 2
    last = frames[:, None] - 1  # (B, 1)
    position = torch.arange(features.shape[2], device=features.device)[None, :]
    inner = torch.minimum(position.clamp(min=half), last - half)
    center = torch.where(last >= 2 * half, inner, position)  # (B, N)
    total = torch.zeros_like(features)
    for offset in range(-half, half + 1):
        index = torch.minimum((center + offset).clamp(min=0), last)[:, None, :].expand_as(features)
        total = total + slope[offset + half] * features.gather(2, index)
    return total


def _derivatives(width: int) -> NDArray[np.float32]:
    """Return weights of a line's first and a parabola's second derivative, least squares, shape (2, width)."""
    position = np.arange(width) - width // 2
    rows = []
    for order in (1, 2):
        fit = np.linalg.pinv(np.vander(position, order + 1, increasing=True))  # (order + 1, width)
        rows.append(math.factorial(order) * fit[order])
    return np.array(rows, dtype=np.float32)
