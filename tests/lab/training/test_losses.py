import pytest
import torch
from torch import nn
from torch.nn import functional

from serkit.lab.recipes.schema import Train
from serkit.lab.training.losses import penalty, summed_loss, summed_weight

LOGITS = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 3])
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.7])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_sum_over_the_weight_is_torchs_mean(weights: torch.Tensor | None, smoothing: float) -> None:
    found = summed_loss(LOGITS, TARGETS, weights, Train(label_smoothing=smoothing)) / summed_weight(TARGETS, weights)
    expected = functional.cross_entropy(LOGITS, TARGETS, weights, label_smoothing=smoothing)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_shares_of_a_batch_add_up_to_the_whole() -> None:
    train = Train(loss="focal")
    parts = [summed_loss(LOGITS[i::2], TARGETS[i::2], WEIGHTS, train) for i in (0, 1)]
    torch.testing.assert_close(parts[0] + parts[1], summed_loss(LOGITS, TARGETS, WEIGHTS, train))


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    plain, focal = (
        summed_loss(LOGITS, TARGETS, None, Train(loss=loss, focal_gamma=0)) for loss in ("cross_entropy", "focal")
    )
    assert torch.equal(plain, focal)


def test_focal_loss_is_its_formula() -> None:
    share = LOGITS.softmax(1)[torch.arange(9), TARGETS]
    expected = (-WEIGHTS[TARGETS] * (1 - share) ** 2 * share.log()).sum()
    found = summed_loss(LOGITS, TARGETS, WEIGHTS, Train(loss="focal", label_smoothing=0))
    torch.testing.assert_close(found, expected)


def test_penalties_are_those_of_the_kernels_that_are_trained() -> None:
    network = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    network[2].requires_grad_(False)
    kernel = network[0].weight
    found = penalty(network, Train(l1=0.1, l2=0.01))
    assert isinstance(found, torch.Tensor)
    kernel = kernel.detach()
    assert float(found.detach()) == pytest.approx(
        float(0.1 * kernel.abs().sum() + 0.01 * kernel.square().sum()), rel=1e-6
    )


def test_no_penalty_costs_nothing() -> None:
    assert penalty(nn.Linear(3, 2), Train()) == 0
