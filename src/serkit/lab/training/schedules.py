"""Learning rates as functions of the step and of the epochs before it: a schedule has no state to save."""

import math
from collections.abc import Sequence

from serkit.lab.recipes.schema import Train

_LOWER = 1e-4  # a loss counts as lower if it is lower by this share, as in torch


def learning_rate(train: Train, step: int, total: int, losses: Sequence[float] = ()) -> float:
    """Return the learning rate at a step.

    - ``constant`` stays at lr.
    - ``one_cycle`` rises on a cosine from lr / 25 to lr over the warm-up, then falls on a cosine to lr / 250,000
      (Smith & Topin, 2018, in PyTorch's form).
    - ``cosine`` rises linearly from 0 to lr over the warm-up, then falls on a cosine to 0.
    - ``linear`` rises as ``cosine`` does, then falls linearly to 0.
    - ``cosine_restarts`` falls on a cosine to 0 and starts again at lr, ``restarts`` times (Loshchilov & Hutter, SGDR,
      ICLR 2017, with cycles of equal length).
    - ``plateau`` is multiplied by ``plateau_factor`` whenever more than ``plateau_patience`` epochs pass without a
      lower validation loss, down to ``min_lr``, as ``torch.optim.lr_scheduler.ReduceLROnPlateau`` does.

    Args:
        train: Training settings.
        step: Step within the stage, from 0.
        total: Steps of the stage.
        losses: Validation losses of the stage's epochs so far, for ``plateau``.
    """
    match train.scheduler:
        case "constant":
            return train.lr
        case "plateau":
            return _on_plateau(train, losses)
        case "cosine_restarts":
            length = total / (train.restarts + 1)
            return _cosine(train.lr, 0.0, step % length / length)
        case "one_cycle":
            return _one_cycle(train, step, total)
        case "cosine" | "linear":
            rise = train.warmup * total
            if step < rise:
                return train.lr * min((step + 1) / rise, 1.0)
            fallen = min((step - rise) / max(total - rise, 1), 1.0)
            return train.lr * (1 - fallen) if train.scheduler == "linear" else _cosine(train.lr, 0.0, fallen)


def _one_cycle(train: Train, step: int, total: int) -> float:
    peak = train.warmup * total - 1
    if step <= peak:
        return _cosine(train.lr / 25, train.lr, step / max(peak, 1))
    return _cosine(train.lr, train.lr / 25e4, (step - peak) / max(total - 1 - peak, 1))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _on_plateau(train: Train, losses: Sequence[float]) -> float:
    rate, lowest, waited = train.lr, math.inf, 0
    for loss in losses:
        waited = 0 if loss < lowest * (1 - _LOWER) else waited + 1
        lowest = loss if waited == 0 else lowest
        if waited > train.plateau_patience:
            rate, waited = max(rate * train.plateau_factor, min(train.min_lr, train.lr)), 0
    return rate
