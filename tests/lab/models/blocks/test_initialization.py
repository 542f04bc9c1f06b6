"""The weights that networks without a normalization start with."""

import torch
from torch import nn

from serkit.lab.models.blocks.initialization import start_as_glorot, start_as_he


def test_after_many_rectified_layers_as_much_is_left_as_came_in() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*(layer for _ in range(20) for layer in (nn.Linear(400, 400), nn.ReLU())))
    x = torch.randn(50, 400)
    assert network(x).var(0).mean() < 1e-6  # between what was heard, as its biases say something in any case
    start_as_he(network)
    assert 0.3 < network(x).square().mean() < 3
    assert network(x).var(0).mean() > 1e-2


def test_kernels_of_convolutions_have_the_deviation_of_the_paper_and_no_bias() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(16, 200, 5), nn.Conv2d(16, 200, 3))
    start_as_he(network)
    for layer, inputs in zip(network, (16 * 5, 16 * 9), strict=True):
        assert abs(layer.weight.std().item() / (2 / inputs) ** 0.5 - 1) < 0.02  # of 16,000 draws
        assert not layer.bias.any()


def test_a_linear_layer_starts_with_the_deviation_of_glorots_paper_and_no_bias() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(300, 100)
    start_as_glorot(layer)
    assert abs(layer.weight.std().item() / (2 / 400) ** 0.5 - 1) < 0.02  # of 30,000 draws
    assert not layer.bias.any()
