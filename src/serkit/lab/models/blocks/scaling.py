"""Standardization: each feature to mean 0 and deviation 1, with the statistics of the training utterances."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from serkit.lab.signal.masking import frame_mask
from serkit.types import FloatArray

_FAR = 10.0  # deviations; noise can lie a hundred deviations away, where no network has learned anything
_CONSTANT = 1e-6  # a deviation below this share of the largest value is a rounding error of a constant feature


class Scaling(nn.Module):
    """Standardizes the rows of features (B, F, N); the padding stays zero.

    Mean and deviation are buffers, which are saved with the weights. Training fits them before the first epoch, over
    all frames of all training utterances. Until then, features pass unchanged.

    Args:
        size: F.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def fit(self, rows: Sequence[FloatArray]) -> None:
        """Compute mean and deviation over frames (N, F) of training utterances; constant features are only centered."""
        count = sum(len(row) for row in rows)
        mean = sum((row.sum(0, dtype=np.float64) for row in rows), np.zeros(len(self.mean))) / count
        squares = sum((np.square(row - mean).sum(0) for row in rows), np.zeros(len(self.mean)))
        largest = np.max([np.abs(row).max(0) for row in rows], axis=0)
        deviation = np.sqrt(squares / count)
        deviation[deviation <= _CONSTANT * largest] = 1
        self.mean.copy_(torch.from_numpy(mean))
        self.deviation.copy_(torch.from_numpy(deviation))

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Standardize the valid columns of features (B, F, N), and clip them at ten deviations."""
        scaled = ((features - self.mean[:, None]) / self.deviation[:, None]).clamp(-_FAR, _FAR)
        return scaled * frame_mask(lengths, features.shape[-1])[:, None, :].to(scaled.dtype)


def fit_scalings(body: nn.Module, rows: Sequence[FloatArray]) -> None:
    """Fit every :class:`Scaling` of a body on the frames (N, F) of training utterances."""
    for module in body.modules():
        if isinstance(module, Scaling):
            module.fit(rows)
