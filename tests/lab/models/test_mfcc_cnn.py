"""The emodb-xlsr report's network over cepstral coefficients."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.mfcc_cnn import MfccCnn, MfccCnnConfig
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_true_size, frames, utterances


def test_it_has_five_layers_a_dense_and_an_output_layer() -> None:
    body = MfccCnn(frames(40), CLASSES, MfccCnnConfig())
    assert [type(layer) for layer in body.layers] == [nn.Conv2d, nn.ELU, nn.MaxPool2d, nn.Dropout] * 5
    assert sum(isinstance(module, nn.Linear) for module in body.modules()) == 2
    assert isinstance(body.head.classify[0], nn.ELU)


def test_40_coefficients_of_300_frames_are_halved_five_times() -> None:
    body = MfccCnn(frames(40), CLASSES, MfccCnnConfig()).eval()
    x, sizes = torch.zeros(1, 1, 40, 300), []
    for layer in body.layers:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            sizes.append(tuple(x.shape[2:]))
    assert sizes == [(20, 150), (10, 75), (5, 38), (3, 19), (2, 10)]


def test_of_a_long_utterance_it_hears_its_frames_alone() -> None:
    body = MfccCnn(frames(12), CLASSES, replace(MfccCnnConfig.tiny(), frames=20)).eval()
    features, lengths = utterances(33, size=12)
    expected = body(features[..., :20], torch.tensor([20]))
    assert torch.equal(body(features, lengths).logits, expected.logits)
    other = features.clone()
    other[..., 20:] = 5.0
    assert torch.equal(body(other, lengths).logits, expected.logits)


def test_a_short_utterance_is_followed_by_zeros() -> None:
    torch.manual_seed(0)
    body = MfccCnn(frames(12), CLASSES, replace(MfccCnnConfig.tiny(), frames=20)).eval()
    features, lengths = utterances(9, size=12)
    expected = body.head(body.layers(nn.functional.pad(features, (0, 11))[:, None]).flatten(1))
    torch.testing.assert_close(body(features, lengths).logits, expected.logits, atol=1e-5, rtol=0)


def test_its_true_size() -> None:
    convolutions = [(1, 32), (32, 32), (32, 64), (64, 64), (64, 128)]
    dense = 128 * 2 * 10 * 128 + 128 + 128 * CLASSES + CLASSES
    assert (
        count_true_size(MfccCnn, frames(40), MfccCnnConfig())
        == sum(9 * a * b + b for a, b in convolutions) + dense
        == 467_430
    )


@pytest.mark.parametrize(
    "settings",
    [{"channels": [8, 8, 8, 8]}, {"channels": [8, 8, 8, 8, 0]}, {"kernel": 2}, {"frames": 0}, {"embedding": 0},
     {"dropout": 1}],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(MfccCnnConfig, settings, where="model: mfcc_cnn")
