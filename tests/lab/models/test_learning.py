"""Every model learns a separable corpus through the one fit, the same by the same seed, and keeps what it learned."""

from pathlib import Path

import numpy as np
import pytest
import torch

from serkit.lab.models import Body, model_names
from serkit.lab.recipes.registry import ENSEMBLE
from serkit.lab.recipes.schema import Augment, Train
from serkit.lab.training.loop import Examples, fit, predict_logits
from support.tiny import CLASSES, UNITS, layout_of, tiny_body

QUIET = Augment(speeds=(1.0,), band_masks=0, frame_masks=0, mixup=0)
TRAIN = Train(epochs=8, batch_size=20, lr=0.01, label_smoothing=0, keep="last", scheduler="one_cycle")
LONGER = {"vgg16": 20, "alexnet1d": 20, "fusionnet": 30, "attention": 25, "transformer": 25,
          "coattention": 16}  # fmt: skip
SLOW = ("coattention", "vgg16")
NAMES = [name for name in model_names(from_scratch=True) if name != ENSEMBLE]
every_model = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in SLOW else name for name in NAMES]
)


def separable(name: str) -> Examples:
    """Noise, with a few rows of each class louder, or in a single row a tone; the last third is for validation."""
    rng, layout = np.random.default_rng(0), layout_of(name)
    targets = {f"toy/{i:03d}": i % CLASSES for i in range(120)}
    rows = {}
    for utterance, target in targets.items():
        length = layout.columns or int(rng.integers(20, 30)) * UNITS.get(name, 1)
        rows[utterance] = rng.standard_normal((length, layout.size)).astype(np.float32)
        if layout.size == 1:
            rows[utterance][:, 0] += 3 * np.sin(0.3 * (target + 1) * np.arange(length))
            continue
        part = layout.size // CLASSES
        rows[utterance][:, part * target : part * (target + 1)] += 3
    names = list(targets)
    train, validation = names[:80], names[80:]
    return Examples(
        [rows], rows, {n: targets[n] for n in train}, {n: targets[n] for n in validation}, CLASSES,
        speakers={n: f"toy/{i % 10}" for i, n in enumerate(train)},
    )  # fmt: skip


def learn(name: str, folder: Path) -> tuple[Body, float]:
    body = tiny_body(name)
    train = TRAIN.model_copy(update={"epochs": LONGER.get(name, TRAIN.epochs)})
    return body, fit(body, separable(name), train, QUIET, seed=0, folder=folder).validation_uar


@every_model
def test_a_model_learns_a_separable_corpus_the_same_by_the_same_seed_and_keeps_it(name: str, tmp_path: Path) -> None:
    body, uar = learn(name, tmp_path / "first")
    assert uar >= 0.9
    again, _ = learn(name, tmp_path / "second")
    data = separable(name)
    expected, _ = predict_logits(body, data.plain, data.validation)
    assert np.array_equal(predict_logits(again, data.plain, data.validation)[0], expected)
    torch.manual_seed(99)
    fresh = tiny_body(name, seed=7)
    fresh.load(tmp_path / "first")
    assert np.array_equal(predict_logits(fresh.eval(), data.plain, data.validation)[0], expected)
    assert {file.name for file in (tmp_path / "first").iterdir()} == {"history.csv", body.file}
