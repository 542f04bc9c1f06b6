"""Utterances brought to one length."""

import pytest
import torch

from serkit.lab.models.blocks.fixed_length import cut_or_pad
from support.layouts import utterances


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 40])
def test_all_utterances_get_one_length(frames: int) -> None:
    features, lengths = utterances(8, 3, size=4)
    x, counts = cut_or_pad(features, lengths, frames=frames)
    kept = min(8, frames)
    assert x.shape == (2, 4, frames)
    assert torch.equal(x[..., :kept], features[..., :kept])
    assert not x[..., kept:].any()
    assert counts.tolist() == [kept, min(3, frames)]
