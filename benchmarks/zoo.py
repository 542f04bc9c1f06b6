"""Claim: every model file recognizes a 3 s clip at least 10 times faster than real time.

The script also makes a table of all models, each with its default features and six classes: number of weights, seconds
per epoch of 1000 clips, megabytes of the model file, and milliseconds of ``Recognizer.predict`` for a clip of 3 s.
Training is timed in the second epoch of ``fit()`` over clips of 2 s with features in memory. Models without epochs are
timed over the whole fit on 1000 vectors. Labels are random, which hardly changes the time. ``--write FILE`` writes the
table as a page; ``--models NAME,NAME`` measures some models and keeps the other rows of the page.

The clips are those of ``examples/``, cut and repeated.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from _verdict import SAMPLING_RATE, SECONDS, at_least, detail, median_seconds, speech_clip
from serkit.writing import write_whole

GOAL = 10.0
CLASSES, CLIPS, VECTORS, RUNS = 6, 128, 1000, 5
PAGE = """# The models, side by side

Made by `python benchmarks/zoo.py --write docs/ZOO.md`; do not edit. Six classes; each model over the features that it
reads by default (`serkit models list`), trained as its source or its defaults say, on {machine}. An epoch is over
1000 clips of 2 s whose features are in the store; models of scikit-learn have none, and the whole fit counts. The
answer is that of `Recognizer.predict` from a file, features included: the median of {runs}. Weights of trees are their
thresholds and leaves. Rows that were measured alone (`--models`: `coattention`) may be of another machine. What the
models recognize is in [RESULTS.md](RESULTS.md), what each is and where it differs from its source in
[MODELS.md](MODELS.md).

{table}
"""


@dataclass(frozen=True)
class Measured:
    """Measurements of one model; ``ratio`` is its speed relative to real time."""

    name: str
    source: str
    reads: str
    weights: int
    epoch_s: float
    megabytes: float
    answer_ms: float

    @property
    def ratio(self) -> float:
        """Speed of a prediction relative to real time."""
        return 1000 * SECONDS / self.answer_ms

    def cells(self) -> list[str]:
        """Return the cells of the model's row."""
        return [
            f"`{self.name}`", self.source, self.reads, f"{self.weights:,}", f"{self.epoch_s:.2f}",
            f"{self.megabytes:.2f}", f"{self.answer_ms:.1f}",
        ]  # fmt: skip


def features_of(front: Any, count: int) -> dict[str, Any]:
    """Return features (N, F) of ``count`` clips of 2 s, each at its own loudness and with its own noise."""
    from serkit.audio.decode import resample
    from serkit.lab.features.extraction import frames_of_many

    rng, rate = np.random.default_rng(0), front.config.sampling_rate
    speech = resample(np.resize(speech_clip(), 6 * SAMPLING_RATE), SAMPLING_RATE, rate)
    starts = rng.integers(0, len(speech) - 2 * rate, count)
    clips = [
        (rng.uniform(0.2, 1) * speech[s : s + 2 * rate] + 1e-3 * rng.standard_normal(2 * rate)).astype(np.float32)
        for s in starts
    ]
    return {f"clip/{i:04d}": row for i, row in frames_of_many(front, clips, [0.5] * count)}


def epoch_seconds(body: Any, front: Any, train: Any) -> float:
    """Train a body and return the seconds of an epoch over 1000 clips, or of the whole fit."""
    from serkit.lab.recipes.schema import Augment
    from serkit.lab.training.loop import Examples, fit

    count = VECTORS if body.is_fitted_at_once else CLIPS
    rows = features_of(front, count)
    drawn = np.random.default_rng(1).integers(0, CLASSES, count).tolist()
    targets = dict(zip(rows, drawn, strict=True))
    speakers = {name: f"speaker {i % 20}" for i, name in enumerate(rows)}
    examples = Examples([rows], rows, targets, {}, CLASSES, speakers=speakers)
    quiet = Augment(speeds=(1.0,), band_masks=0, frame_masks=0, mixup=0)
    ends = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        fit(
            body, examples, train.model_copy(update={"epochs": 2}), quiet, seed=0, folder=Path(folder),
            on_epoch=lambda epoch: ends.append(time.perf_counter()),
        )  # fmt: skip
    if body.is_fitted_at_once:
        return time.perf_counter() - ends[0]
    return (ends[2] - ends[1]) * 1000 / count


def measure(name: str) -> Measured:
    """Train a model briefly, write its file, and recognize a clip with it."""
    from serkit.lab.exporting.model_file import _Exported, write_graph
    from serkit.lab.graphs.model_assembly import count_weights
    from serkit.lab.models import build_model
    from serkit.lab.recipes.registry import find_model
    from serkit.lab.recipes.schema import parse_recipe
    from serkit.runtime.recognizer import Recognizer

    recipe = parse_recipe({"name": "zoo", "corpora": ["emodb"], "labels": "emodb", "model": name})
    torch.manual_seed(0)
    model = build_model(recipe.named_features, name, recipe.model.settings, classes=CLASSES)
    body: Any = model.body
    seconds = epoch_seconds(body, model.front, recipe.train)
    weights = count_weights(body.graph) if body.is_fitted_at_once else sum(p.numel() for p in body.parameters())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        write_graph(_Exported(model, 1.0).eval(), file, card_of(recipe, model))
        recognizer = Recognizer.load(file)
        clip = speech_clip()
        answer = median_seconds([lambda: recognizer.predict(clip, sampling_rate=SAMPLING_RATE)], runs=[RUNS])[0]
        size = file.stat().st_size / 1e6
    reads = ", ".join(feature.name for feature in recipe.features)
    return Measured(name, find_model(name).source, reads, weights, seconds, size, 1000 * answer)


def card_of(recipe: Any, model: Any) -> Any:
    """Return a card for a temporary model file."""
    from serkit.card import Card

    inputs = ("waveform", "lengths", *(("sex",) if model.front.uses_sex else ()))
    return Card(
        name="zoo", serkit_version="", classes=tuple("abcdef"), label_set="", label_note="",
        sampling_rate=model.front.config.sampling_rate, inputs=inputs, minimum_duration=0.1, parameters=0, corpora=(),
        languages=(), train_speakers=(), validation_speakers=(), split_digest="", temperature=1.0, validation_uar=None,
        evidence=(), license="", is_commercial_use_allowed=True, not_for=(), recipe=recipe.as_mapping(),
    )  # fmt: skip


def table(rows: list[str]) -> Iterator[str]:
    """Yield the lines of the table."""
    head = ["model", "source", "reads", "weights", "epoch, s", "file, MB", "3 s clip, ms"]
    yield f"| {' | '.join(head)} |"
    yield "|---|---|---|---:|---:|---:|---:|"
    yield from rows


def main() -> int:
    """Measure all models; return the exit code."""
    from serkit.lab.models import model_names
    from serkit.lab.recipes.registry import ENSEMBLE

    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    names = [name for name in model_names(from_scratch=True) if name != ENSEMBLE]
    rows = []
    for name in given.models.split(",") if given.models else names:
        rows.append(measure(name))
        detail(" | ".join(rows[-1].cells()))
    if given.write:
        machine = f"{torch.get_num_threads()} threads of torch {torch.__version__.split('+')[0]}"
        older = given.write.read_text("utf-8").splitlines() if given.models else []
        lines = {name: line for name in names for line in older if line.startswith(f"| `{name}` |")}
        lines |= {row.name: f"| {' | '.join(row.cells())} |" for row in rows}
        shown = "\n".join(table([lines[name] for name in names if name in lines]))
        write_whole(given.write, PAGE.format(machine=machine, runs=RUNS, table=shown))
    slowest = min(rows, key=lambda row: row.ratio)
    detail(f"the slowest is {slowest.name}: {slowest.answer_ms:.0f} ms for {SECONDS:.0f} s")
    return at_least("zoo", slowest.ratio, GOAL)


if __name__ == "__main__":
    sys.exit(main())
