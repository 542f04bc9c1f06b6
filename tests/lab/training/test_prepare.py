"""A prepared experiment is made once: workers get it, without its audio and features, and read no corpus again."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from serkit.lab.measure import pooled_metrics
from serkit.lab.splits.protocols import make_split
from serkit.lab.training.fold import Experiment
from serkit.lab.training.prepare import prepare
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.run import run_protocol
from serkit.lab.training.workers import fit_side_by_side
from support.toy import tiny_recipe

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")


def prepared(corpus: Path, folder: Path) -> Experiment:
    recipe = tiny_recipe(augment={"speeds": [0.9, 1.0]})
    return prepare(resolve_recipe(recipe), {"ravdess": corpus}, folder, split_by=make_split)


def test_a_pickled_experiment_names_its_stored_features_and_does_not_hold_them(
    ravdess_dir: Path, tmp_path: Path
) -> None:
    run = prepared(ravdess_dir, tmp_path)
    sent = pickle.dumps(run)
    (member,) = run.members
    assert len(sent) < sum(row.nbytes for row in member.features[1.0].values()) / 10
    again = pickle.loads(sent)
    assert (again.resolved, again.manifest, again.split, again.targets) == (
        run.resolved, run.manifest, run.split, run.targets,
    )  # fmt: skip
    (other,) = again.members
    assert other.store.digests == member.store.digests
    assert other.front.layout == member.front.layout
    for speed in (0.9, 1.0):
        assert list(other.features[speed]) == list(member.features[speed])
        for name, row in member.features[speed].items():
            assert isinstance(other.features[speed][name], np.memmap)
            np.testing.assert_array_equal(other.features[speed][name], row)


def test_workers_read_no_corpus(ravdess_dir: Path, tmp_path: Path) -> None:
    corpus = shutil.copytree(ravdess_dir, tmp_path / "RAVDESS")
    run = prepared(corpus, tmp_path / "run")
    shutil.rmtree(corpus)
    todo = [(fold, 0) for fold in run.split.folds]
    assert {fold.fold for fold, *_ in fit_side_by_side(run, todo, 2)} == {0, 1}


def test_scores_are_measured_once_in_a_run(ravdess_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    measure = pooled_metrics.measure
    monkeypatch.setattr(
        pooled_metrics, "measure", lambda rows, classes: measured.append(len(rows)) or measure(rows, classes)
    )
    for _ in range(2):
        metrics = run_protocol(tiny_recipe(seeds=[0, 1]), {"ravdess": ravdess_dir}, tmp_path)
    assert measured == [2 * 96]
    assert metrics["uar"] > 0
