"""Cepstral coefficients from levels in dB, and their derivatives along time."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serkit.lab.signal.power import loudest


def cosine_transform(coefficients: int, bands: int) -> NDArray[np.float32]:
    """Return the first rows of the orthonormal DCT-II, shape (coefficients, bands)."""
    order, band = np.arange(coefficients)[:, None], np.arange(bands)[None, :]
    matrix: NDArray[np.float64] = np.sqrt(2 / bands) * np.cos(np.pi * order * (2 * band + 1) / (2 * bands))
    matrix[0] = 1 / math.sqrt(bands)
    return matrix.astype(np.float32)


def cepstrum(level: Tensor, mask: Tensor, dct: Tensor) -> Tensor:
    """Transform levels in dB to cepstral coefficients.

    A level that all bands share changes only the zeroth coefficient. The loudest level is subtracted before the
    transform and added to the zeroth coefficient afterwards. So in silence all other coefficients are exactly 0, and
    not the rounding errors of sums of -100 dB.

    Args:
        level: Levels (B, bands, N) in dB.
        mask: Mask (B, 1, N), True where a frame is valid.
        dct: Output of :func:`cosine_transform`, (n, bands).

    Returns:
        Cepstral coefficients (B, n, N).
    """
    top = loudest(level, mask)  # (B, 1, 1)
    others = torch.zeros_like(dct[1:, 0]).expand(top.shape[0], -1)[:, :, None]
    common = torch.cat([top * dct[0].sum(), others], dim=1)  # (B, n, 1)
    return torch.matmul(dct, level - top) + common


def delta(features: Tensor, frames: Tensor, slope: Tensor) -> Tensor:
    """Differentiate features along time by fitting a polynomial to the frames around each frame.

    A polynomial whose degree is the order of the derivative has the same derivative everywhere. So frames near an
    utterance's ends get the derivative of the nearest frame that has enough neighbors. If the utterance is shorter
    than the fit, its first and last frame are repeated.

    Args:
        features: Features (B, F, N); frames after an utterance's end have no influence.
        frames: Number of valid frames (B,).
        slope: Weights of the fitted frames, from the first to the last, an odd number; see :func:`derivative_weights`.

    Returns:
        Derivatives per frame (B, F, N).
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


def derivative_weights(width: int) -> NDArray[np.float32]:
    """Return the weights of least-squares derivatives over ``width`` frames, shape (2, width).

    The first row is the first derivative of a fitted line, the second row the second derivative of a fitted parabola.
    """
    position = np.arange(width) - width // 2
    rows = []
    for order in (1, 2):
        fit = np.linalg.pinv(np.vander(position, order + 1, increasing=True))  # (order + 1, width)
        rows.append(math.factorial(order) * fit[order])
    return np.array(rows, dtype=np.float32)
