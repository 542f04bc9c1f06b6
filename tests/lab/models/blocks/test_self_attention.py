"""Self-attention against torch's own."""

import math

import pytest
import torch
from torch import nn

from serkit.lab.models.blocks.self_attention import Positions, SelfAttention
from serkit.lab.signal.masking import frame_mask
from support.layouts import copy_weights

TOLERANCE = 1e-6  # float32 sums in another order, of numbers around 1


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_self_attention_equals_torchs_with_masked_keys(heads: int) -> None:
    torch.manual_seed(0)
    ours, theirs = SelfAttention(8, heads), nn.MultiheadAttention(8, heads, batch_first=True)
    nn.init.normal_(ours.project.bias)
    copy_weights(theirs, ours)
    x, mask = torch.randn(3, 11, 8), frame_mask(torch.tensor([11, 1, 6]), 11)
    expected, _ = theirs(x, x, x, key_padding_mask=~mask, need_weights=False)
    torch.testing.assert_close(ours(x, mask), expected, atol=TOLERANCE, rtol=0)


def test_steps_behind_the_end_are_never_looked_at() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(8, 2)
    x, mask = torch.randn(2, 9, 8), frame_mask(torch.tensor([9, 4]), 9)
    loud = torch.where(mask[..., None], x, 1e4)
    torch.testing.assert_close(attention(loud, mask)[mask], attention(x, mask)[mask], atol=TOLERANCE, rtol=0)


def test_positions_are_the_papers_sines_and_cosines() -> None:
    width, size = 6, 50
    added = Positions(width)(torch.zeros(1, size, width))[0]
    for position in range(size):
        angles = [position / 10_000 ** (2 * i / width) for i in range(width // 2)]
        expected = [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
        assert added[position].tolist() == pytest.approx(expected, abs=1e-5)


def test_positions_do_not_depend_on_what_stands_around() -> None:
    positions = Positions(8)
    torch.testing.assert_close(positions(torch.zeros(2, 30, 8))[:1, :7], positions(torch.zeros(1, 7, 8)))
