from itertools import pairwise

import pytest
import torch

from serkit.lab.recipes.schema import Train
from serkit.lab.training.schedules import learning_rate

LOSSES = [1.0, 0.9, 0.95, 0.91, 0.9, 0.92, 0.89999, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87, 0.88, 0.89, 0.9]


@pytest.mark.parametrize(("factor", "patience", "floor"), [(0.1, 2, 1e-7), (0.5, 0, 1e-3), (0.3, 5, 0.0)])
def test_plateau_is_torchs(factor: float, patience: int, floor: float) -> None:
    train = Train(
        scheduler="plateau", lr=0.01, plateau_factor=factor, plateau_patience=patience, min_lr=floor
    )  # fmt: skip
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=train.lr)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=factor, patience=patience, min_lr=floor, eps=0
    )
    for epoch in range(len(LOSSES)):
        assert learning_rate(train, 7, 100, LOSSES[:epoch]) == pytest.approx(optimizer.param_groups[0]["lr"])
        theirs.step(LOSSES[epoch])


def test_plateau_never_rises_to_its_floor() -> None:
    train = Train(scheduler="plateau", lr=1e-8, min_lr=1e-7, plateau_patience=0)
    assert learning_rate(train, 0, 10, [1.0] * 9) == 1e-8


def test_cosine_with_restarts_is_torchs() -> None:
    train = Train(scheduler="cosine_restarts", lr=0.1, restarts=3)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=train.lr)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=5)
    for step in range(20):
        assert learning_rate(train, step, 20) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()


def test_cosine_with_restarts_comes_back_as_often_as_asked() -> None:
    rates = [learning_rate(Train(scheduler="cosine_restarts", restarts=4), step, 103) for step in range(103)]
    assert sum(later > earlier for earlier, later in pairwise(rates)) == 4


@pytest.mark.parametrize("scheduler", ["one_cycle", "cosine", "linear", "cosine_restarts", "plateau", "constant"])
def test_no_rate_is_negative_or_above_the_recipes(scheduler: str) -> None:
    train = Train.model_validate({"scheduler": scheduler, "lr": 0.02})
    rates = [learning_rate(train, step, 40, LOSSES[: step // 4]) for step in range(44)]
    assert all(0 <= rate <= 0.02 + 1e-12 for rate in rates)
