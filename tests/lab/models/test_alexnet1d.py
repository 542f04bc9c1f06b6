"""AlexNet over a vector."""

from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.alexnet1d import AlexNet1d, AlexNet1dConfig, SegmentMeans
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_true_size, vector, vectors


def test_it_has_five_convolutions_and_three_dense_layers() -> None:
    body = AlexNet1d(vector(24), CLASSES, AlexNet1dConfig.tiny())
    layers = [module for module in body.modules() if isinstance(module, nn.Conv1d | nn.Linear)]
    assert [type(layer) for layer in layers] == [nn.Conv1d] * 5 + [nn.Linear] * 3
    assert sum(isinstance(module, nn.MaxPool1d) for module in body.modules()) == 3
    assert sum(isinstance(module, nn.Dropout) for module in body.modules()) == 2


def test_its_true_size_is_alexnets() -> None:
    convolutions = [(1, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3)]
    dense = [(6 * 256, 4096), (4096, 4096), (4096, CLASSES)]
    expected = sum(a * b * kernel + b for a, b, kernel in convolutions) + sum(a * b + b for a, b in dense)
    assert count_true_size(AlexNet1d, vector(848), AlexNet1dConfig()) == expected == 23_877_446


def test_the_sequence_of_848_numbers_shrinks_as_alexnets_picture_does() -> None:
    body = AlexNet1d(vector(848), CLASSES, AlexNet1dConfig.tiny()).eval()
    sizes = []
    x = vectors(1, 848)[0].transpose(1, 2)
    for layer in body.convolutions:
        x = layer(x)
        if not isinstance(layer, nn.ReLU):
            sizes.append(x.shape[2])
    assert sizes == [212, 106, 106, 53, 53, 53, 53, 27]
    assert body.average(x).shape[2] == 6


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 24, 33, 162])
def test_a_vector_of_any_size_will_do(size: int) -> None:
    body = AlexNet1d(vector(size), CLASSES, AlexNet1dConfig.tiny()).eval()
    assert torch.isfinite(body(*vectors(2, size)).logits).all()


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 12, 13, 27, 60])
def test_segment_means_equal_torchs_adaptive_pooling(size: int) -> None:
    x = torch.randn(2, 3, size, generator=torch.Generator().manual_seed(size))
    expected = nn.functional.adaptive_avg_pool1d(x, 6)
    torch.testing.assert_close(SegmentMeans(size, 6)(x), expected, atol=1e-6, rtol=0)


def test_the_embedding_is_what_the_last_hidden_layer_says() -> None:
    body = AlexNet1d(vector(24), CLASSES, AlexNet1dConfig.tiny()).eval()
    output = body(*vectors(3, 24))
    assert output.embedding.shape == (3, 64)
    torch.testing.assert_close(body.head.classify[2](torch.relu(output.embedding)), output.logits)


@pytest.mark.parametrize(
    "settings", [{"channels": [8, 8, 8, 8]}, {"channels": [8, 8, 0, 8, 8]}, {"dense": 0}, {"dropout": 1.0}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(AlexNet1dConfig, settings, where="model: alexnet1d")
