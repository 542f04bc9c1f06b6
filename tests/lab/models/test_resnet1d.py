"""ResNet-18 over a vector."""

from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.resnet1d import ResidualBlock, ResNet1d, ResNet1dConfig
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_true_size, vector, vectors


def test_it_has_eighteen_layers_and_three_ways_around_them_that_convolve() -> None:
    body = ResNet1d(vector(848), CLASSES, ResNet1dConfig())
    convolutions = [module for module in body.modules() if isinstance(module, nn.Conv1d)]
    around = [module for module in convolutions if module.kernel_size == (1,)]
    dense = [module for module in body.modules() if isinstance(module, nn.Linear)]
    assert len(convolutions) - len(around) + len(dense) == 18
    assert len(around) == 3


def test_its_true_size_is_resnet_18s() -> None:
    def block(a: int, b: int) -> int:
        return 3 * a * b + 3 * b * b + 4 * b + (a * b + 2 * b if a != b else 0)

    stages = [(64, 64), (64, 128), (128, 256), (256, 512)]
    expected = 7 * 64 + 2 * 64 + sum(block(a, b) + block(b, b) for a, b in stages) + 512 * CLASSES + CLASSES
    assert count_true_size(ResNet1d, vector(848), ResNet1dConfig()) == expected == 3_846_982


def test_stages_halve_the_sequence_and_the_embedding_is_the_mean_of_the_last() -> None:
    body = ResNet1d(vector(848), CLASSES, ResNet1dConfig(channels=(4, 8, 8, 16))).eval()
    features, lengths = vectors(2, 848)
    x = body.stem(features.transpose(1, 2))
    sizes = [x.shape[2]]
    for block in body.blocks:
        x = block(x)
        sizes.append(x.shape[2])
    assert sizes == [212, 212, 212, 106, 106, 53, 53, 27, 27]
    torch.testing.assert_close(body(features, lengths).embedding, x.mean(2))


@pytest.mark.parametrize(("outputs", "stride"), [(4, 1), (6, 1), (4, 2), (6, 2)])
def test_a_block_whose_layers_say_nothing_hands_on_what_it_reads(outputs: int, stride: int) -> None:
    block = ResidualBlock(4, outputs, stride=stride).eval()
    last = block.residual[-1]
    assert isinstance(last, nn.BatchNorm1d)
    nn.init.zeros_(last.weight)
    x = torch.randn(2, 4, 10, generator=torch.Generator().manual_seed(0)).relu()
    assert torch.equal(block(x), block.around(x).relu())
    if (outputs, stride) == (4, 1):
        assert torch.equal(block(x), x)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 33])
def test_a_vector_of_any_size_will_do(size: int) -> None:
    body = ResNet1d(vector(size), CLASSES, ResNet1dConfig.tiny()).eval()
    assert torch.isfinite(body(*vectors(2, size)).logits).all()


@pytest.mark.parametrize(
    "settings", [{"channels": []}, {"channels": [8, 0, 8, 8]}, {"blocks": [2]}, {"blocks": [2, 2, 0, 2]}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"(channels|blocks) is out of range"):
        build_settings(ResNet1dConfig, settings, where="model: resnet1d")
