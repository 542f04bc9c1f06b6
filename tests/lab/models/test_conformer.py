"""The small Conformer."""

from typing import Any

import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.models.conformer import Conformer, ConformerConfig
from serkit.lab.recipes.config import build_settings
from serkit.lab.signal.masking import frame_mask
from support.layouts import CLASSES, count_true_size, frames, utterances

TINY = ConformerConfig.tiny()


def tiny() -> Conformer:
    torch.manual_seed(0)
    return Conformer(frames(10), CLASSES, TINY)


def test_its_true_size_is_that_of_a_model_for_small_corpora() -> None:
    assert count_true_size(Conformer, frames(64), ConformerConfig()) == 1_655_334


def test_a_block_is_half_a_feed_forward_attention_convolution_and_the_other_half() -> None:
    block = tiny().eval().blocks[0]
    x, mask = torch.randn(2, 9, TINY.width), frame_mask(torch.tensor([9, 5]), 9)
    expected = x + block.before(x) / 2
    attended = nn.MultiheadAttention(TINY.width, TINY.heads, batch_first=True).eval()
    ours = block.attention
    with torch.no_grad():
        attended.in_proj_weight.copy_(ours.project.weight)
        attended.in_proj_bias.copy_(ours.project.bias)
        attended.out_proj.weight.copy_(ours.output.weight)
        attended.out_proj.bias.copy_(ours.output.bias)
    heard = block.attention_norm(expected)
    expected = expected + attended(heard, heard, heard, key_padding_mask=~mask)[0]
    expected = expected + block.convolution(expected, mask)
    expected = block.norm(expected + block.behind(expected) / 2)
    torch.testing.assert_close(block(x, mask)[mask], expected[mask], atol=1e-5, rtol=0)


def test_the_convolution_module_gates_convolves_each_channel_and_activates() -> None:
    module = tiny().eval().blocks[0].convolution
    x = torch.randn(1, 7, TINY.width)
    one, other = module.gate[0](module.norm(x)).chunk(2, dim=2)
    gated = (one * other.sigmoid()).transpose(1, 2)  # (1, D, N)
    weight = module.depthwise.weight
    expected = torch.cat(
        [nn.functional.conv1d(gated[:, i : i + 1], weight[i : i + 1], padding=2) for i in range(TINY.width)],
        dim=1,
    )
    expected = module.output(nn.functional.silu(module.batch_norm(expected)).transpose(1, 2))
    found = module(x, torch.ones(1, 7, dtype=torch.bool))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("length", "steps"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3), (33, 9)])
def test_a_step_is_four_frames(length: int, steps: int) -> None:
    body, seen = tiny().eval(), list[torch.Tensor]()
    body.blocks[0].register_forward_pre_hook(lambda layer, given: seen.append(given[1]))
    body(*utterances(40, length, size=10))
    assert seen[0].sum(1).tolist() == [10, steps]


def test_the_order_of_the_frames_changes_the_answer() -> None:
    body = tiny().eval()
    features, lengths = utterances(40, 40, size=10)
    backwards = body(features.flip(2), lengths).logits
    assert (backwards - body(features, lengths).logits).abs().max() > 1e-3


@pytest.mark.parametrize(
    "settings",
    [{"stem": 0}, {"width": 15}, {"blocks": 0}, {"heads": 3}, {"expansion": 0}, {"kernel": 4}, {"embedding": 0},
     {"dropout": 1}],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(ConformerConfig, settings, where="model: conformer")
