from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.models import build_body
from serkit.lab.models.crnn import Crnn, CrnnConfig
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
