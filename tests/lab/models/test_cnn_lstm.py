"""Convolutions and a recurrent network over log-mel."""

import functools
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.cnn_lstm import CnnLstm, CnnLstmConfig
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_true_size, frames, settle, utterances

TINY = CnnLstmConfig.tiny()


@functools.cache
def settled(is_bidirectional: bool) -> CnnLstm:
    torch.manual_seed(0)
    body = CnnLstm(frames(10), CLASSES, replace(TINY, is_bidirectional=is_bidirectional))
    settle(body, *utterances(40, 17, size=10))
    return body


@pytest.mark.parametrize("length", [1, 2, 3, 21, 40])
@pytest.mark.parametrize("is_bidirectional", [False, True])
def test_an_utterance_in_a_padded_batch_gets_what_plain_layers_give_it_alone(
    length: int, is_bidirectional: bool
) -> None:
    body = settled(is_bidirectional)
    features, lengths = utterances(40, length, size=10)
    theirs = nn.LSTM(24, TINY.units, batch_first=True, bidirectional=is_bidirectional)
    suffixes = {"forwards": "", "backwards": "_reverse"}
    weights = {
        f"{name.split('.')[1]}{suffixes[name.split('.')[0]]}": weight
        for name, weight in body.recurrent.state_dict().items()
    }
    theirs.load_state_dict(weights)
    x = features[1:, None, :, :length]
    for block in body.blocks:
        x = nn.functional.max_pool2d(nn.functional.elu(block.norm(block.convolve(x))), 2, ceil_mode=True)
    _, (last, _) = theirs(x.flatten(1, 2).transpose(1, 2))  # (directions, 1, units)
    expected = body.head(last.transpose(0, 1).flatten(1))
    torch.testing.assert_close(body(features, lengths).logits[1:], expected.logits, atol=1e-5, rtol=0)


def test_its_true_size() -> None:
    one, both = (
        count_true_size(CnnLstm, frames(64), CnnLstmConfig(is_bidirectional=is_bidirectional))
        for is_bidirectional in (False, True)
    )
    lstm = 4 * 128 * (512 + 128 + 2)
    convolutions = sum(9 * a * b + 2 * b for a, b in ((1, 64), (64, 64), (64, 128), (128, 128)))
    assert one == convolutions + lstm + 129 * 64 + 65 * CLASSES == 596_742
    assert both == one + lstm + 128 * 64


@pytest.mark.parametrize(
    "settings", [{"channels": []}, {"channels": [0]}, {"units": 0}, {"embedding": 0}, {"dropout": 1}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(CnnLstmConfig, settings, where="model: cnn_lstm")
