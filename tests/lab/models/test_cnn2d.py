"""The crema-cnn report's network over mel spectrograms."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.cnn2d import Cnn2d, Cnn2dConfig
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_true_size, frames, utterances


def plain_layers(body: Cnn2d, features: torch.Tensor) -> torch.Tensor:
    """Return what the convolutions and pools give one whole utterance, without any mask."""
    x = features[:, None]
    for convolution in body.convolutions:
        x = nn.functional.max_pool2d(torch.relu(convolution(x)), 2, ceil_mode=True)
    return x


def test_of_a_long_utterance_it_hears_its_frames_alone() -> None:
    body = Cnn2d(frames(12), CLASSES, replace(Cnn2dConfig.tiny(), frames=20)).eval()
    features, lengths = utterances(33, size=12)
    expected = body(features[..., :20], torch.tensor([20]))
    assert torch.equal(body(features, lengths).logits, expected.logits)
    other = features.clone()
    other[..., 20:] = 5.0
    assert torch.equal(body(other, lengths).logits, expected.logits)


def test_a_short_utterance_is_followed_by_zeros() -> None:
    torch.manual_seed(0)
    body = Cnn2d(frames(12), CLASSES, replace(Cnn2dConfig.tiny(), frames=20)).eval()
    features, lengths = utterances(9, size=12)
    expected = body.head(plain_layers(body, nn.functional.pad(features, (0, 11))).flatten(1))
    torch.testing.assert_close(body(features, lengths).logits, expected.logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, 2, 3, 21, 40])
def test_without_a_fixed_length_it_takes_the_mean_over_each_utterances_own_time(length: int) -> None:
    torch.manual_seed(0)
    body = Cnn2d(frames(12), CLASSES, replace(Cnn2dConfig.tiny(), frames=None)).eval()
    features, lengths = utterances(40, length, size=12)
    expected = body.head(plain_layers(body, features[1:, :, :length]).mean(3).flatten(1))
    torch.testing.assert_close(body(features, lengths).logits[1:], expected.logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("fixed", "left", "expected"), [(300, 19, 2_731_526), (None, 1, 372_230)])
def test_its_true_size(fixed: int | None, left: int, expected: int) -> None:
    convolutions = [(1, 32), (32, 64), (64, 128), (128, 128)]
    dense = 128 * 8 * left * 128 + 128 + 128 * CLASSES + CLASSES
    assert (
        count_true_size(Cnn2d, frames(128), Cnn2dConfig(frames=fixed))
        == sum(9 * a * b + b for a, b in convolutions) + dense
        == expected
    )


@pytest.mark.parametrize(
    "settings",
    [{"channels": []}, {"channels": [0]}, {"kernel": 2}, {"frames": 0}, {"embedding": 0}, {"dropout": -1}],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(Cnn2dConfig, settings, where="model: cnn2d")
