"""Learning rates as pure functions of the step and of what the epochs before gave: no schedule has a state to save."""

import math
from collections.abc import Sequence

from serkit.lab.recipes.schema import Train

_LOWER = 1e-4  # by this share a loss must be lower than the lowest before to count, as in torch


def learning_rate(train: Train, step: int, total: int, losses: Sequence[float] = ()) -> float:
    """Return the rate at a step.

    - ``one_cycle`` rises on a cosine from lr / 25 over the warm-up and falls on one to lr / 250,000 (Smith & Topin,
      2018, as PyTorch has it).
    - ``cosine`` rises in a line from 0 over the warm-up and falls to 0.
    - ``linear`` rises as ``cosine`` does and falls in a line to 0.
    - ``cosine_restarts`` falls on a cosine to 0 and jumps back up, ``restarts`` times (Loshchilov & Hutter, SGDR, ICLR
      2017, with cycles of one length).
    - ``plateau`` is multiplied by ``plateau_factor`` whenever more than ``plateau_patience`` epochs passed without a
      lower validation loss, down to ``min_lr``, as ``torch.optim.lr_scheduler.ReduceLROnPlateau``.

    Args:
        train: Its settings.
        step: From 0, within the stage.
        total: Steps of the stage.
        losses: That ``plateau`` watches, of the stage's epochs so far.
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
