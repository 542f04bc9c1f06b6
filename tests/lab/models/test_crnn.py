from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.models import build_body
from serkit.lab.models.crnn import AttentiveStatistics, Crnn, CrnnConfig
from serkit.lab.signal.masking import frame_mask
from support import layouts

SIZE, CLASSES = 24, 5
LARGEST = 3_000_000  # weights: what "small" means on the card of a model that everybody downloads


def test_a_crnn_of_true_size_is_small() -> None:
    with torch.device("meta"):
        body = build_body("crnn", {}, layout=layouts.frames(64), classes=8)
    assert layouts.count_weights(body) <= LARGEST


@pytest.mark.parametrize("settings", [{"recurrent": 0}, {"halvings": 0}, {"dilations": ()}, {"halvings": 9}])
def test_a_crnn_can_do_without_its_optional_parts(settings: dict[str, Any]) -> None:
    body = Crnn(layouts.frames(SIZE), CLASSES, CrnnConfig(**(asdict(CrnnConfig.tiny()) | settings))).eval()
    features, lengths = layouts.utterances(33, 9, size=SIZE)
    together = body(features, lengths)
    alone = body(features[1:, :, :9], lengths[1:])
    torch.testing.assert_close(together.logits[1:], alone.logits, atol=1e-5, rtol=0)


def test_attention_gives_masked_frames_no_weight_and_the_others_all_of_it() -> None:
    torch.manual_seed(0)
    pool = AttentiveStatistics(6)
    seen: list[torch.Tensor] = []
    pool.score.register_forward_hook(lambda module, inputs, output: seen.append(output))
    mask = frame_mask(torch.tensor([5, 2]), 9)[:, None, :].float()
    x = torch.randn(2, 6, 9)
    pooled = pool(x, mask)
    weights = seen[0].masked_fill(mask == 0, -torch.inf).softmax(-1)
    torch.testing.assert_close(pooled[:, :6], (weights * x).sum(-1))
    assert not weights[0, :, 5:].any()
    assert not weights[1, :, 2:].any()
    torch.testing.assert_close(pool(torch.where(mask > 0, x, 1e6), mask), pooled, atol=1e-6, rtol=0)


def test_attentive_statistics_of_a_single_frame_are_that_frame_and_no_deviation() -> None:
    pooled = AttentiveStatistics(3)(torch.tensor([[[1.0], [-2.0], [5.0]]]), torch.ones(1, 1, 1))
    assert pooled[0, :3].tolist() == [1.0, -2.0, 5.0]
    assert pooled[0, 3:].tolist() == pytest.approx([1e-5**0.5] * 3)


def test_a_crnns_stem_halves_the_bands_and_as_often_as_asked_the_frames() -> None:
    body = Crnn(layouts.frames(64), CLASSES, CrnnConfig(stem=(4, 4, 4), halvings=2)).eval()
    x = torch.zeros(1, 1, 64, 101)
    shapes = [x.shape[2:]]
    for layer in body.stem:
        x = layer(x)
        shapes.append(x.shape[2:])
    assert all(after[0] == (before[0] + 1) // 2 for before, after in pairwise(shapes))
    assert [shape[1] for shape in shapes] == [101, 51, 26, 26]


@pytest.mark.parametrize(
    "settings",
    [{"stem": []}, {"channels": 0}, {"dropout": 2}, {"recurrent": -1}, {"embedding": 0}, {"dilations": [0]},
     {"halvings": -1}],
)  # fmt: skip
def test_a_setting_of_crnn_out_of_range_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        build_body("crnn", settings, layout=layouts.frames(64), classes=7)
