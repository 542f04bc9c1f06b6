"""The transformer encoder against torch's own."""

from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.transformer import EncoderBlock, Transformer, TransformerConfig
from serkit.lab.recipes.config import build_settings
from serkit.lab.signal.masking import frame_mask
from support.layouts import CLASSES, copy_weights, count_true_size, count_weights, frames, utterances, vector, vectors


def torchs_twin(block: EncoderBlock, config: TransformerConfig) -> nn.TransformerEncoderLayer:
    twin = nn.TransformerEncoderLayer(
        config.width, config.heads, config.feedforward, config.dropout, batch_first=True, norm_first=True
    )
    pairs = [(twin.self_attn, block.attention), (twin.norm1, block.attention_norm), (twin.norm2, block.dense_norm),
             (twin.linear1, block.dense[0]), (twin.linear2, block.dense[3])]  # fmt: skip
    for into, source in pairs:
        copy_weights(into, source)
    return twin.eval()


def test_it_equals_torchs_encoder_and_the_mean_over_valid_steps() -> None:
    torch.manual_seed(0)
    config = TransformerConfig.tiny()
    body = Transformer(frames(5), CLASSES, config).eval()
    features, lengths = utterances(12, 1, 5, size=5)
    mask = frame_mask(lengths, 12)
    x = body.positions(body.project(features.transpose(1, 2)))
    for block in body.blocks:
        assert isinstance(block, EncoderBlock)
        x = torchs_twin(block, config)(x, src_key_padding_mask=~mask)
    x = body.norm(x)
    mean = torch.stack([row[:length].mean(0) for row, length in zip(x, lengths.tolist(), strict=True)])
    torch.testing.assert_close(body(features, lengths).logits, body.head(mean).logits, atol=1e-5, rtol=0)


def test_which_number_of_a_vector_is_which_matters() -> None:
    torch.manual_seed(0)
    body = Transformer(vector(24), CLASSES, TransformerConfig.tiny()).eval()
    features, lengths = vectors(1, 24)
    swapped = torch.cat([features[:, 2:], features[:, :2]], dim=1)  # whole steps, in another order
    assert (body(features, lengths).logits - body(swapped, lengths).logits).abs().max() > 1e-3


def test_its_true_size() -> None:
    layers = 3 * count_weights(nn.TransformerEncoderLayer(128, 4, 256))
    dense = 128 * 128 + 128 + 128 * CLASSES + CLASSES
    assert (
        count_true_size(Transformer, vector(848), TransformerConfig()) == 2 * 128 + layers + 2 * 128 + dense == 415_238
    )


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"width": 10, "heads": 4}, "width"), ({"width": 9, "heads": 3}, "width"), ({"heads": 0}, "heads"),
     ({"layers": 0}, "layers"), ({"feedforward": 0}, "feedforward"), ({"step": 0}, "step"),
     ({"embedding": 0}, "embedding"), ({"dropout": 1}, "dropout")],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(RecipeError, match=f"{named} is out of range"):
        build_settings(TransformerConfig, settings, where="model: transformer")
