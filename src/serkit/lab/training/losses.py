"""Losses: cross entropy or focal loss, weighted by class, and penalties on the kernels."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.recipes.schema import Train


def class_weights(targets: Mapping[str, int], classes: int) -> Tensor:
    """Return class weights inverse to the class counts, shape (C,): 1 on average over utterances, 0 for an empty class.

    Args:
        targets: Utterance id to class index, for the training side.
        classes: Number of classes C.
    """
    counts = np.bincount(list(targets.values()), minlength=classes)
    present = counts > 0
    weights = np.zeros(classes)
    weights[present] = len(targets) / (present.sum() * counts[present])
    return torch.tensor(weights, dtype=torch.float32)


def summed_loss(logits: Tensor, targets: Tensor, weights: Tensor | None, train: Train) -> Tensor:
    """Return the weighted sum of the utterances' losses; divided by :func:`summed_weight` it is their mean.

    Focal loss multiplies the cross entropy of an utterance by (1 - p) ** gamma, where p is the probability of its class
    (Lin et al., Focal loss for dense object detection, ICCV 2017).

    Args:
        logits: Logits, shape (B, C).
        targets: Class indices, shape (B,), or soft targets, shape (B, C).
        weights: Class weights, shape (C,), or None.
        train: Training settings with the loss and its label smoothing. Focal loss needs class indices.
    """
    losses = functional.cross_entropy(logits, targets, weights, label_smoothing=train.label_smoothing, reduction="none")
    if train.loss == "focal":
        share = logits.softmax(1).gather(1, targets[:, None])[:, 0]
        losses = (1 - share) ** train.focal_gamma * losses
    return losses.sum()


def summed_weight(targets: Tensor, weights: Tensor | None) -> float:
    """Return the sum of the weights of these targets' losses."""
    if weights is None:
        return float(len(targets))
    return float((targets @ weights if targets.ndim == 2 else weights[targets]).sum())


def penalty(body: nn.Module, train: Train) -> Tensor | float:
    """Return ``l1`` times the sum of magnitudes plus ``l2`` times the sum of squares of all trained kernels.

    Kernels are weights with two dimensions or more, as for Keras's ``kernel_regularizer``; biases and the weights of
    normalization layers are not penalized.
    """
    if not train.l1 and not train.l2:
        return 0.0
    kernels = [p for p in body.parameters() if p.requires_grad and p.ndim >= 2]
    return sum(train.l1 * kernel.abs().sum() + train.l2 * kernel.square().sum() for kernel in kernels)
