"""Augmentations of features: masks and mixup, at the seam between front end and body."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from serkit.types import FloatArray


class Masks(Protocol):
    """Settings of :func:`mask_spectrogram`; a recipe's ``augment`` has them."""

    @property
    def band_masks(self) -> int:
        """How many masks of bands."""

    @property
    def band_mask_size(self) -> int:
        """Bands that one covers at most."""

    @property
    def frame_masks(self) -> int:
        """How many masks of frames."""

    @property
    def frame_mask_share(self) -> float:
        """Share of the frames that one covers at most."""


class Mixed(NamedTuple):
    """A batch mixed with itself in another order.

    features (B, F, N), lengths (B,), ``share`` of the old order from 0 to 1, and the other ``order`` (B,). The loss is
    ``share`` of that on the targets and the rest of that on ``targets[order]``.
    """

    features: Tensor
    lengths: Tensor
    share: float
    order: Tensor


def mask_spectrogram(frames: FloatArray, masks: Masks, rng: np.random.Generator) -> FloatArray:
    """Set random bands and stretches of frames to zero, the mean of normalized features.

    Args:
        frames: Shape (N, F); left as they are.
        masks: How many, and how large they may be.
        rng: Draws widths and places.

    Returns:
        Shape (N, F).

    Source:
        Park et al., SpecAugment, Interspeech 2019; without its time warping.
    """
    masked = np.array(frames)
    length, size = masked.shape
    for _ in range(masks.band_masks):
        width = int(rng.integers(0, min(masks.band_mask_size, size) + 1))
        first = int(rng.integers(0, size - width + 1))
        masked[:, first : first + width] = 0
    for _ in range(masks.frame_masks):
        width = int(rng.integers(0, int(length * masks.frame_mask_share) + 1))
        first = int(rng.integers(0, length - width + 1))
        masked[first : first + width] = 0
    return masked


def mixup(features: Tensor, lengths: Tensor, *, alpha: float, rng: np.random.Generator) -> Mixed:
    """Mix a batch with itself in another order; the longer length of each pair then counts.

    Args:
        features: Shape (B, F, N), zero behind each utterance's end.
        lengths: Valid frames, shape (B,).
        alpha: Of the Beta distribution that the share is drawn from; 0 draws nothing and mixes nothing.
        rng: Draws the share, then the order.

    Source:
        Zhang et al., mixup, ICLR 2018.
    """
    if not alpha:
        return Mixed(features, lengths, 1.0, torch.arange(len(lengths), device=lengths.device))
    share = float(rng.beta(alpha, alpha))
    order = torch.from_numpy(rng.permutation(len(lengths))).to(lengths.device)
    return Mixed(share * features + (1 - share) * features[order], torch.maximum(lengths, lengths[order]), share, order)
