"""The crema-cnn report's network over time."""

from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.cnn1d import Cnn1d, Cnn1dConfig
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_true_size, frames, settle, utterances, vector, vectors


@pytest.mark.parametrize("length", [1, 2, 3, 21, 40])
def test_an_utterance_in_a_padded_batch_gets_what_plain_layers_give_it_alone(length: int) -> None:
    torch.manual_seed(0)
    body = Cnn1d(frames(7), CLASSES, Cnn1dConfig.tiny())
    features, lengths = utterances(40, length, size=7)
    settle(body, features, lengths)
    x = features[1:, :, :length]
    for convolution in body.convolutions:
        x = nn.functional.max_pool1d(convolution(x), 2, ceil_mode=True)
    expected = body.head(torch.cat([x.mean(2), x.max(2).values], dim=1))
    found = body(features, lengths)
    torch.testing.assert_close(found.logits[1:], expected.logits, atol=1e-5, rtol=0)


def test_a_block_is_convolution_batch_norm_relu_pooling_and_dropout() -> None:
    body = Cnn1d(frames(35), CLASSES, Cnn1dConfig())
    for block in body.convolutions:
        assert isinstance(block, nn.Sequential)
        assert [type(layer) for layer in block] == [nn.Conv1d, nn.BatchNorm1d, nn.ReLU]
    assert isinstance(body.pool, nn.MaxPool1d)
    assert body.dropout.p == body.config.dropout > 0


def test_a_vector_is_a_sequence_of_one_channel() -> None:
    body = Cnn1d(vector(30), CLASSES, Cnn1dConfig.tiny())
    first = body.convolutions[0]
    assert isinstance(first, nn.Sequential)
    assert isinstance(first[0], nn.Conv1d)
    assert first[0].in_channels == 1
    settle(body, *vectors(4, 30))
    sequence = Cnn1d(frames(1), CLASSES, Cnn1dConfig.tiny()).eval()
    sequence.load_state_dict({**body.state_dict(), "scale.mean": torch.zeros(1), "scale.deviation": torch.ones(1)})
    features, lengths = vectors(3, 30)
    expected = sequence(features.transpose(1, 2), torch.full((3,), 30))
    torch.testing.assert_close(body(features, lengths).logits, expected.logits)


def test_its_true_size() -> None:
    convolutions = [(35, 64), (64, 128), (128, 256), (256, 256)]
    dense = 512 * 128 + 128 + 128 * CLASSES + CLASSES
    assert (
        count_true_size(Cnn1d, frames(35), Cnn1dConfig())
        == sum(5 * a * b + 2 * b for a, b in convolutions) + dense
        == 611_526
    )


@pytest.mark.parametrize(
    "settings", [{"channels": []}, {"channels": [0]}, {"kernel": 4}, {"kernel": 0}, {"embedding": 0}, {"dropout": 1.5}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(Cnn1dConfig, settings, where="model: cnn1d")
