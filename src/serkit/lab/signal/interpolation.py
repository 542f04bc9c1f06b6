"""Linear interpolation of frames or rows to another number of them, as a product with a matrix of weights."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serkit.lab.signal.masking import frame_mask


def stretch(frames: Tensor, size: int, columns: int) -> Tensor:
    """Return the weight of each valid frame in each column, shape (B, N, columns).

    The weights are those of ``torch.nn.functional.interpolate(mode="bilinear", antialias=True)``, which averages
    frames where there are fewer columns than frames.

    Args:
        frames: Number of valid frames (B,).
        size: Padded number of frames, N.
        columns: Number of columns to which the valid frames are stretched or shrunk.
    """
    per_column = (frames.to(torch.float32) / columns)[:, None, None]
    center = (torch.arange(columns, device=frames.device) + 0.5)[None, None, :] * per_column
    place = (torch.arange(size, device=frames.device) + 0.5)[None, :, None]
    weight = (1 - (place - center).abs() / per_column.clamp(min=1.0)).clamp(min=0.0)
    weight = weight * frame_mask(frames, size)[:, :, None]
    return weight / weight.sum(1, keepdim=True)


def interpolation_matrix(source: int, target: int) -> NDArray[np.float64]:
    """Return the matrix (target, source) that interpolates as :func:`stretch` does, for a size known beforehand."""
    per_row = source / target
    center = (np.arange(target) + 0.5)[:, None] * per_row
    weight = np.maximum(1 - np.abs(np.arange(source)[None, :] + 0.5 - center) / max(per_row, 1.0), 0.0)
    matrix: NDArray[np.float64] = weight / weight.sum(1, keepdims=True)
    return matrix
