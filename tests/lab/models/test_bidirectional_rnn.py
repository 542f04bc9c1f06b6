"""Stacked bidirectional networks against torch's own on packed sequences."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.bidirectional_rnn import BidirectionalRnn, BidirectionalRnnConfig
from serkit.lab.models.blocks.recurrence import Cell
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, copy_weights, count_true_size, count_weights, frames, utterances, vector, vectors

TORCHS = {"gru": nn.GRU, "lstm": nn.LSTM}
TOLERANCE = 1e-6  # float32 sums in another order, of numbers below 1


def torchs_twin(body: BidirectionalRnn, cell: Cell, units: int) -> nn.GRU | nn.LSTM:
    """Return torch's network of the same weights, which it keeps in the same order: layers, then directions."""
    twin = TORCHS[cell](body.steps.width, units, num_layers=2, batch_first=True, bidirectional=True)
    copy_weights(twin, body.layers)
    return twin.eval()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_it_equals_torchs_bidirectional_network_on_packed_sequences(cell: Cell) -> None:
    torch.manual_seed(0)
    body = BidirectionalRnn(frames(7), CLASSES, replace(BidirectionalRnnConfig.tiny(), cell=cell)).eval()
    twin = torchs_twin(body, cell, units=16)
    features, lengths = utterances(13, 1, 7, 12, size=7)
    packed = nn.utils.rnn.pack_padded_sequence(
        features.transpose(1, 2), lengths, batch_first=True, enforce_sorted=False
    )  # fmt: skip
    states = twin(packed)[1]
    last = states if cell == "gru" else states[0]  # (2 layers * 2 directions, B, units)
    expected = body.head(torch.cat([last[2], last[3]], dim=1))
    found = body(features, lengths)
    torch.testing.assert_close(found.embedding, expected.embedding, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(found.logits, expected.logits, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("step", [1, 2, 5])
def test_a_vector_is_read_step_by_step(step: int) -> None:
    torch.manual_seed(0)
    body = BidirectionalRnn(vector(10), CLASSES, replace(BidirectionalRnnConfig.tiny(), step=step)).eval()
    twin = torchs_twin(body, "gru", units=16)
    features, lengths = vectors(3, 10)
    _, last = twin(features.reshape(3, 10 // step, step))
    expected = body.head(torch.cat([last[2], last[3]], dim=1))
    torch.testing.assert_close(body(features, lengths).logits, expected.logits, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(("cell", "expected"), [("gru", 430_726), ("lstm", 563_078)])
def test_its_true_size_is_torchs_and_that_of_two_dense_layers(cell: Cell, expected: int) -> None:
    twin = TORCHS[cell](1, 128, num_layers=2, bidirectional=True)
    dense = 256 * 128 + 128 + 128 * CLASSES + CLASSES
    assert (
        count_true_size(BidirectionalRnn, vector(848), BidirectionalRnnConfig(cell=cell))
        == count_weights(twin) + dense
        == expected
    )


@pytest.mark.parametrize(
    "settings", [{"units": []}, {"units": [8, 0]}, {"step": 0}, {"embedding": 0}, {"dropout": -0.1}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(BidirectionalRnnConfig, settings, where="model: bigru")


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(RecipeError, match="cell is out of range"):
        BidirectionalRnnConfig(cell="rnn")  # type: ignore[arg-type]
