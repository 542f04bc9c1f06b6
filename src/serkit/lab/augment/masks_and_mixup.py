"""Augmentations of features, between front end and body: SpecAugment's masks, and mixup."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from serkit.types import FloatArray


class Masks(Protocol):
    """Settings of :func:`mask_spectrogram`, such as a recipe's ``augment``."""

    @property
    def band_masks(self) -> int:
        """Number of masks over bands."""

    @property
    def band_mask_size(self) -> int:
        """Largest number of bands that one mask covers."""

    @property
    def frame_masks(self) -> int:
        """Number of masks over frames."""

    @property
    def frame_mask_share(self) -> float:
        """Largest share of the frames that one mask covers."""


class Mixed(NamedTuple):
    """A batch mixed with a permutation of itself.

    The loss is ``share`` times the loss on ``targets`` plus ``1 - share`` times the loss on ``targets[order]``.

    Attributes:
        features: Mixed features, shape (B, F, N).
        lengths: Valid frames, shape (B,).
        share: Weight of the batch in its own order, from 0 to 1.
        order: Permutation of the batch, shape (B,).
    """

    features: Tensor
    lengths: Tensor
    share: float
    order: Tensor


def mask_spectrogram(frames: FloatArray, masks: Masks, rng: np.random.Generator) -> FloatArray:
    """Set random stripes of bands and of frames to zero, the mean of normalized features.

    Args:
        frames: Features of shape (N, F); they are not modified.
        masks: Number and sizes of the masks.
        rng: Source of widths and positions.

    Returns:
        Masked features of shape (N, F).

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
    """Mix a batch with a permutation of itself; each pair has the length of its longer utterance.

    Args:
        features: Features of shape (B, F, N), with zeros as padding.
        lengths: Valid frames of each utterance, shape (B,).
        alpha: Parameter of the Beta distribution of the share; 0 draws nothing and mixes nothing.
        rng: Source of the share, then of the order.

    Source:
        Zhang et al., mixup, ICLR 2018.
    """
    if not alpha:
        return Mixed(features, lengths, 1.0, torch.arange(len(lengths), device=lengths.device))
    share = float(rng.beta(alpha, alpha))
    order = torch.from_numpy(rng.permutation(len(lengths))).to(lengths.device)
    return Mixed(share * features + (1 - share) * features[order], torch.maximum(lengths, lengths[order]), share, order)
