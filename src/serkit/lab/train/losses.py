"""What training makes small: cross entropy or focal loss, weighted by class, and penalties on the kernels."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.recipes.schema import Train


def class_weights(targets: Mapping[str, int], classes: int) -> Tensor:
    """Weights inverse to the counts, shape (C,), 1 on average over utterances; 0 for a class without any.

    Args:
        targets: Utterance id to class index, of the training side.
        classes: C.
    """
    counts = np.bincount(list(targets.values()), minlength=classes)
    present = counts > 0
    weights = np.zeros(classes)
    weights[present] = len(targets) / (present.sum() * counts[present])
    return torch.tensor(weights, dtype=torch.float32)


def summed_loss(logits: Tensor, targets: Tensor, weights: Tensor | None, train: Train) -> Tensor:
    """Return the weighted sum of an utterance's losses; divided by :func:`summed_weight` it is their mean.

    Focal loss multiplies an utterance's cross entropy by (1 - p) ** gamma, p being what its class got
    (Lin et al., Focal loss for dense object detection, ICCV 2017).

    Args:
        logits: Shape (B, C).
        targets: Shape (B,).
        weights: Of the classes, shape (C,).
        train: Says which loss, and how much label smoothing.
    """
    losses = functional.cross_entropy(logits, targets, weights, label_smoothing=train.label_smoothing, reduction="none")
    if train.loss == "focal":
        share = logits.softmax(1).gather(1, targets[:, None])[:, 0]
        losses = (1 - share) ** train.focal_gamma * losses
    return losses.sum()


def summed_weight(targets: Tensor, weights: Tensor | None) -> float:
    """Return what the losses of these targets weigh together."""
    return float(len(targets) if weights is None else weights[targets].sum())


def penalty(body: nn.Module, train: Train) -> Tensor | float:
    """Return ``l1`` times the magnitudes and ``l2`` times the squares of all kernels that are trained, summed.

    Kernels are the weights with two dimensions or more, those that Keras's ``kernel_regularizer`` is for; neither
    biases nor normalizations.
    """
    if not train.l1 and not train.l2:
        return 0.0
    kernels = [p for p in body.parameters() if p.requires_grad and p.ndim >= 2]
    return sum(train.l1 * kernel.abs().sum() + train.l2 * kernel.square().sum() for kernel in kernels)
