"""The network of self-attention."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.attention import AdditivePooling, Attention, AttentionConfig
from serkit.lab.recipes.config import build_settings
from serkit.lab.signal.masking import frame_mask
from support.layouts import CLASSES, copy_weights, count_true_size, count_weights, frames, utterances, vector, vectors


def test_pooling_gives_masked_steps_no_weight_and_the_others_all_of_it() -> None:
    torch.manual_seed(0)
    pool, x = AdditivePooling(6), torch.randn(3, 9, 6)
    mask = frame_mask(torch.tensor([9, 1, 4]), 9)
    weights = pool.weigh(x, mask)
    assert not weights[~mask].any()
    assert (weights[mask] > 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    torch.testing.assert_close(pool(x, mask), (weights[..., None] * x).sum(1), atol=1e-6, rtol=0)
    torch.testing.assert_close(pool(x, mask)[1], x[1, 0], atol=1e-6, rtol=0)


def test_it_equals_torchs_attention_and_layer_norm_with_masked_keys() -> None:
    torch.manual_seed(0)
    body = Attention(frames(5), CLASSES, replace(AttentionConfig.tiny(), heads=4)).eval()
    features, lengths = utterances(12, 1, 5, size=5)
    mask = frame_mask(lengths, 12)
    x = body.positions(body.project(features.transpose(1, 2)))
    for layer, norm in zip(body.layers, body.norms, strict=True):
        twin = nn.MultiheadAttention(32, 4, batch_first=True)
        copy_weights(twin, layer)
        x = norm(x + twin(x, x, x, key_padding_mask=~mask, need_weights=False)[0])
    expected = body.head(body.pool(x, mask))
    torch.testing.assert_close(body(features, lengths).logits, expected.logits, atol=1e-5, rtol=0)


def test_which_number_of_a_vector_is_which_matters() -> None:
    torch.manual_seed(0)
    body = Attention(vector(24), CLASSES, replace(AttentionConfig.tiny(), step=1)).eval()
    features, lengths = vectors(1, 24)
    difference = body(features, lengths).logits - body(features.flip(1), lengths).logits
    assert difference.abs().max() > 1e-3


def test_its_true_size() -> None:
    layers = 2 * (count_weights(nn.MultiheadAttention(128, 4)) + 2 * 128)
    pooling = 128 * 128 + 128 + 128
    dense = 128 * 128 + 128 + 128 * CLASSES + CLASSES
    assert count_true_size(Attention, vector(848), AttentionConfig()) == 2 * 128 + layers + pooling + dense == 166_790


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"width": 10, "heads": 4}, "width"), ({"width": 9, "heads": 3}, "width"), ({"heads": 0}, "heads"),
     ({"layers": 0}, "layers"), ({"step": 0}, "step"), ({"embedding": 0}, "embedding"), ({"dropout": 1}, "dropout")],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(RecipeError, match=f"{named} is out of range"):
        build_settings(AttentionConfig, settings, where="model: attention")
