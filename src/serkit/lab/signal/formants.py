"""Formants of a voice from its power spectrum, without a general root finder, which cannot be exported.

The autocorrelation below the highest formant gives a linear predictor by Levinson's recursion, which unrolls into a few
steps. The predictor's spectrum is scanned on a circle inside the unit circle, where two neighboring formants that merge
into one peak on the unit circle stay apart (McCandless, 1974). A few steps of Newton's method lead from each peak to
the root.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

_ORDER = 10
_HIGHEST_HZ = 5500.0
_EMPHASIS = 0.97  # coefficient of the pre-emphasis at 11 kHz, which removes the spectral slope of the glottis
_POINTS = 160  # points of the scan, 34 Hz apart
_SCAN_RADIUS = 0.94
_STEPS = 2
_NOISE = 1e-5  # white noise at -50 dB of the energy, which keeps the recursion stable for tones
_TINY = 1e-20


class Resonances(NamedTuple):
    """Formants in ascending order, each (B, N, count); missing formants are 0.

    Attributes:
        hz: Center frequencies in Hz.
        bandwidth: Bandwidths in Hz.
    """

    hz: Tensor
    bandwidth: Tensor


class Formants(nn.Module):
    """Find the lowest formants in power spectra.

    Args:
        sampling_rate: Sampling rate of the waveform in Hz.
        n_fft: Points of the Fourier transform.
        count: Number of formants.

    Source: S. McCandless, An algorithm for automatic formant extraction using linear prediction spectra, IEEE
        Transactions on Acoustics, Speech and Signal Processing 22(2), 1974.
    """

    correlate: Tensor
    scan_real: Tensor
    scan_imaginary: Tensor
    orders: Tensor

    def __init__(self, *, sampling_rate: int, n_fft: int, count: int = 3) -> None:
        super().__init__()
        self.count = count
        self.highest = min(_HIGHEST_HZ, sampling_rate / 2)
        hz = np.arange(n_fft // 2 + 1) * sampling_rate / n_fft
        hz = hz[hz <= self.highest]
        orders = np.arange(_ORDER + 1)
        turn = np.pi * hz / self.highest
        emphasis = 1 - 2 * _EMPHASIS * np.cos(turn) + _EMPHASIS**2
        matrix = emphasis[:, None] * np.cos(np.outer(turn, orders)) / n_fft
        self.bins = len(hz)
        self.register_buffer("correlate", torch.from_numpy(matrix.astype(np.float32)), persistent=False)
        angle = np.outer(orders, np.pi * np.arange(1, _POINTS) / _POINTS)
        scan = np.exp(-1j * angle) * _SCAN_RADIUS ** -orders[:, None].astype(float)  # (order + 1, points)
        self.register_buffer("scan_real", torch.from_numpy(scan.real.astype(np.float32)), persistent=False)
        self.register_buffer("scan_imaginary", torch.from_numpy(scan.imag.astype(np.float32)), persistent=False)
        self.register_buffer("orders", torch.from_numpy(orders.astype(np.float32)), persistent=False)

    def autocorrelation(self, power: Tensor) -> Tensor:
        """Return the autocorrelation (..., N, 11) of the sound below 5.5 kHz from power spectra (..., N, K)."""
        return torch.matmul(power[..., : self.bins], self.correlate)

    def forward(self, correlation: Tensor) -> Resonances:
        """Find the formants of frames from their autocorrelations (B, N, 11)."""
        predictor = _levinson(correlation)  # (B, N, order + 1)
        gap = torch.matmul(predictor, self.scan_real).square() + torch.matmul(predictor, self.scan_imaginary).square()
        inner = gap[..., 1:-1]
        is_dip = (inner < gap[..., :-2]) & (inner <= gap[..., 2:])  # (B, N, points)
        rank = is_dip.to(torch.int64).cumsum(-1)
        # the index of the i-th dip is the number of points before it
        places = torch.stack([(rank < i).sum(-1) for i in range(1, self.count + 1)], -1)
        found = rank[..., -1:] >= torch.arange(1, self.count + 1, device=rank.device)
        angle = (places.to(predictor.dtype) + 2) * (torch.pi / _POINTS)
        log_radius, angle = self._roots(predictor, angle)
        hz = angle * (self.highest / torch.pi)
        bandwidth = -log_radius * (2 * self.highest / torch.pi)
        return Resonances(hz * found, bandwidth * found)

    def _roots(self, predictor: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        """Refine angles (B, N, count) to the predictor's nearest roots; return log radius and angle of each root."""
        log_radius, start = torch.full_like(angle, float(np.log(_SCAN_RADIUS))), angle
        for _ in range(_STEPS):
            size = predictor[..., None, :] * torch.exp(-log_radius[..., None] * self.orders)  # (B, N, count, order + 1)
            turn = angle[..., None] * self.orders
            real, imaginary = size * turn.cos(), -size * turn.sin()
            value = real.sum(-1), imaginary.sum(-1)
            slope = -(real * self.orders).sum(-1), -(imaginary * self.orders).sum(-1)
            scale = slope[0].square() + slope[1].square() + _TINY
            log_radius = log_radius - (value[0] * slope[0] + value[1] * slope[1]) / scale
            angle = angle - (value[1] * slope[0] - value[0] * slope[1]) / scale
            log_radius = log_radius.clamp(-0.5, -0.001)
            angle = torch.minimum(torch.maximum(angle, start - 0.1), start + 0.1).clamp(0.01, 3.13)
        return log_radius, angle


def _levinson(correlation: Tensor) -> Tensor:
    """Return the predictor's polynomial (..., order + 1), whose first coefficient is 1, by Levinson's recursion."""
    energy = correlation[..., :1]
    error = energy * (1 + _NOISE) + _TINY
    polynomial = torch.ones_like(energy)
    for order in range(1, correlation.shape[-1]):
        behind = correlation[..., 1 : order + 1].flip(-1)
        reflection = (-(polynomial * behind).sum(-1, keepdim=True) / error).clamp(-0.9999, 0.9999)
        longer = torch.cat([polynomial, torch.zeros_like(energy)], -1)
        polynomial = longer + reflection * longer.flip(-1)
        error = error * (1 - reflection.square())
    return polynomial
