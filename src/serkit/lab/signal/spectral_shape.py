"""Spectral shape of each frame as in eGeMAPS: balance, slopes, loudness, cepstrum, flux."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serkit.lab.signal.cepstrum import cosine_transform

HIGHEST_HZ = 5500.0  # highest bin that is kept
FLOOR = 1e-7  # smallest power of a bin; silence is below the quantization steps of 16 bits
SHAPES = ("alpha_ratio", "hammarberg_index", "slope_0_500", "slope_500_1500")
_BANDS = 26
_BANDS_HZ = (20.0, 8000.0)
_COMPRESSION = 0.33  # exponent from intensity to loudness
_CEPSTRUM = 4
_SMOOTHED_HZ = 140.0  # width over which harmonics are smoothed before the slope from 500 to 1500 Hz is fitted


class SpectralShape(nn.Module):
    """Measures of eGeMAPS that describe the shape of a power spectrum.

    Args:
        sampling_rate: Sampling rate of the waveform in Hz, above 11 kHz.
        n_fft: Points of the Fourier transform.

    Source: F. Eyben et al., The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and affective
        computing, IEEE Transactions on Affective Computing 7(2), 2016; loudness: H. Hermansky, Perceptual linear
        predictive (PLP) analysis of speech, Journal of the Acoustical Society of America 87(4), 1990, equation 4.
    """

    mel: Tensor
    hearing: Tensor
    cepstrum: Tensor
    balance: Tensor
    slope: Tensor
    smooth_slope: Tensor
    blur: Tensor

    def __init__(self, *, sampling_rate: int, n_fft: int) -> None:
        super().__init__()
        hz = np.arange(n_fft // 2 + 1) * sampling_rate / n_fft
        mel, centers = _mel_triangles(hz, min(_BANDS_HZ[1], sampling_rate / 2))
        balance = np.stack([(hz >= 50) & (hz <= 1000), (hz > 1000) & (hz <= 5000)])
        self.low, self.high = (int(np.searchsorted(hz, edge, side="right")) for edge in (2000, 5000))
        self.kept = int(np.searchsorted(hz, HIGHEST_HZ, side="right"))
        self.voice = int(np.searchsorted(hz, 1500, side="right"))  # number of bins below 1500 Hz, used for the slopes
        width = round(_SMOOTHED_HZ / 2 * n_fft / sampling_rate)
        near = np.abs(np.arange(self.voice + width)[:, None] - np.arange(self.voice)[None, :]) <= width
        matrices = {
            "mel": mel.T, "hearing": _equal_loudness(centers),
            "cepstrum": cosine_transform(_CEPSTRUM + 1, _BANDS)[1:].T,
            "balance": balance.T, "slope": _regression(hz[: self.voice], 0, 500)[:, None],
            "smooth_slope": _regression(hz[: self.voice], 500, 1500)[:, None], "blur": near / near.sum(0),
        }  # fmt: skip
        for name, matrix in matrices.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(matrix, np.float32)), persistent=False)

    def forward(self, power: Tensor) -> Tensor:
        """Compute the measures of each frame.

        Args:
            power: Power spectra (..., N, K).

        Returns:
            Measures (..., N, 9): the four :data:`SHAPES` (dB, dB, dB per Hz, dB per Hz), loudness, and four cepstral
            coefficients.
        """
        low, high = torch.split(decibels_of(torch.matmul(power, self.balance)), 1, dim=-1)
        peaks = [power[..., : self.low], power[..., self.low : self.high]]
        low_peak, high_peak = (decibels_of(part.amax(-1, keepdim=True)) for part in peaks)
        slope = torch.matmul(decibels_of(power[..., : self.voice]), self.slope)
        blurred = torch.matmul(power[..., : self.blur.shape[0]], self.blur)
        smooth_slope = torch.matmul(decibels_of(blurred), self.smooth_slope)
        mel = torch.matmul(power, self.mel)
        loudness = (mel * self.hearing).clamp(min=FLOOR).pow(_COMPRESSION).sum(-1, keepdim=True)
        cepstrum = torch.matmul(decibels_of(mel), self.cepstrum)
        return torch.cat([high - low, low_peak - high_peak, slope, smooth_slope, loudness, cepstrum], -1)


def spectral_flux(power: Tensor, highest: int) -> Tensor:
    """Return the root mean square change of the magnitudes from one frame to the next, 0 for the first frame.

    Args:
        power: Power spectra (B, N, bins).
        highest: Number of bins to use, from the lowest one.

    Returns:
        Spectral flux (B, N).
    """
    magnitude = power[..., :highest].clamp(min=FLOOR).sqrt()
    change = (magnitude[:, 1:] - magnitude[:, :-1]).square().mean(-1).sqrt()
    return torch.cat([torch.zeros_like(power[:, :1, 0]), change], 1)


def decibels_of(power: Tensor) -> Tensor:
    """Return levels in dB; powers below :data:`FLOOR` are raised to it."""
    return 10 * power.clamp(min=FLOOR).log10()


def _mel_triangles(hz: NDArray[np.float64], highest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return triangular filters of height 1 on O'Shaughnessy's mel scale, (bands, K), and their centers in Hz."""
    low, high = 2595 * np.log10(1 + np.array([_BANDS_HZ[0], highest]) / 700)
    edges = np.linspace(low, high, _BANDS + 2)
    mel = 2595 * np.log10(1 + hz / 700)
    step = edges[1] - edges[0]
    triangles = np.maximum(0, 1 - np.abs(mel[None, :] - edges[1:-1, None]) / step)
    return triangles, 700 * (10 ** (edges[1:-1] / 2595) - 1)


def _equal_loudness(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    square = (2 * np.pi * hz) ** 2
    weight: NDArray[np.float64] = (square + 56.8e6) * square**2 / ((square + 6.3e6) ** 2 * (square + 0.38e9))
    return weight


def _regression(hz: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return weights of bins whose sum with levels is the slope of the regression line from low to high Hz."""
    inside = (hz >= low) & (hz <= high)
    centered = np.where(inside, hz - hz[inside].mean(), 0.0)
    weights: NDArray[np.float64] = centered / (centered**2).sum()
    return weights
