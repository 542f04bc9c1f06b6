"""Bringing each number to mean 0 and deviation 1, by what the training utterances say."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from serkit.lab.signal.masking import frame_mask
from serkit.types import FloatArray

_FAR = 10.0  # deviations; noise and the like lie a hundred away, where no network has learned anything
_CONSTANT = 1e-6  # a deviation smaller than this share of the largest value is what rounding leaves of a constant


class Scaling(nn.Module):
    """Standardizes the rows of (B, F, N); the padding stays zero.

    Mean and deviation are buffers, saved with the weights. Training fits them on its training side before the first
    epoch, over all frames of all utterances; until then nothing changes.

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
        """Take mean and deviation from frames (N, F) of training utterances; a constant number is only centered."""
        count = sum(len(row) for row in rows)
        mean = sum((row.sum(0, dtype=np.float64) for row in rows), np.zeros(len(self.mean))) / count
        squares = sum((np.square(row - mean).sum(0) for row in rows), np.zeros(len(self.mean)))
        largest = np.max([np.abs(row).max(0) for row in rows], axis=0)
        deviation = np.sqrt(squares / count)
        deviation[deviation <= _CONSTANT * largest] = 1
        self.mean.copy_(torch.from_numpy(mean))
        self.deviation.copy_(torch.from_numpy(deviation))

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Standardize the valid columns of features (B, F, N), and cut at ten deviations."""
        scaled = ((features - self.mean[:, None]) / self.deviation[:, None]).clamp(-_FAR, _FAR)
        return scaled * frame_mask(lengths, features.shape[-1])[:, None, :].to(scaled.dtype)


def fit_scalings(body: nn.Module, rows: Sequence[FloatArray]) -> None:
    """Fit every :class:`Scaling` of a body, which all read the features themselves, on training utterances (N, F)."""
    for module in body.modules():
        if isinstance(module, Scaling):
            module.fit(rows)
