"""Runs are published, and read back to the same numbers."""

import gzip
import shutil
from pathlib import Path

import pytest

from serkit.errors import RunError
from serkit.lab.leaderboard import as_sections, compare
from serkit.lab.measure.publish import publish
from serkit.lab.measure.run_entry import read_entry
from serkit.lab.measure.run_folder import (
    VALIDATED,
    read_folds,
    read_json,
    read_predictions,
    write_json,
    write_predictions,
)
from support.run_folders import CLASSES, predictions, write_run
from support.sealed_runs import reseal, rotated, settle

pytestmark = pytest.mark.usefixtures("quick_bootstrap")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_finished(tmp_path / "runs" / "toy")


def write_finished(folder: Path, **changes: object) -> Path:
    """Write a run with two seeds, validation predictions and the digest of its folds."""
    write_run(folder, predictions(seeds=(0, 1)), **changes)
    write_predictions(folder, rotated(predictions(seeds=(0, 1), skill=0.8)), CLASSES, VALIDATED)
    return settle(folder)


def test_a_published_run_has_the_numbers_folds_and_table_of_the_run(run: Path, tmp_path: Path) -> None:
    published = publish(run, tmp_path / "results")
    assert published == tmp_path / "results" / "toy-loso-crnn"
    before, after = read_entry(run), read_entry(published)
    assert after.row == before.row
    assert as_sections(compare([after])) == as_sections(compare([before]))
    assert read_folds(published) == read_folds(run)
    assert read_predictions(published, VALIDATED) == read_predictions(run, VALIDATED)


def test_a_published_run_has_these_files_and_no_weights(run: Path, tmp_path: Path) -> None:
    (run / "fold_0" / "seed_0").mkdir(parents=True)
    (run / "fold_0" / "seed_0" / "weights.safetensors").write_bytes(bytes(1000))
    published = publish(run, tmp_path / "results")
    digest = read_json(run, "env.json")["split_digest"]
    assert sorted(path.relative_to(published.parent).as_posix() for path in published.parent.rglob("*.*")) == [
        f"folds/{digest}.json.gz",
        *(f"toy-loso-crnn/{name}" for name in (
            "env.json", "metrics.json", "predictions.csv.gz", "recipe.yaml", "validation.csv.gz")),
    ]  # fmt: skip
    for name in ("env.json", "metrics.json", "recipe.yaml"):
        assert (published / name).read_bytes() == (run / name).read_bytes()
    for name in ("predictions.csv", "validation.csv"):
        assert gzip.decompress((published / f"{name}.gz").read_bytes()) == (run / name).read_bytes()


def test_publishing_twice_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """Neither the time nor the name of a file is stored."""
    first, second = (publish(run, tmp_path / name, name=name) for name in ("one", "two"))
    files = sorted(path.relative_to(first) for path in first.iterdir())
    assert [(first / name).read_bytes() for name in files] == [(second / name).read_bytes() for name in files]
    stored = [sorted((folder.parent / "folds").iterdir())[0].read_bytes() for folder in (first, second)]
    assert stored[0] == stored[1]


def test_runs_on_one_split_share_its_folds(run: Path, tmp_path: Path) -> None:
    other = write_finished(tmp_path / "runs" / "other", name="other")
    one, two = publish(run, tmp_path / "results"), publish(other, tmp_path / "results", name="ablations/a/other")
    assert len([*(tmp_path / "results" / "folds").iterdir()]) == 1
    assert read_folds(one) == read_folds(two)


def test_a_run_that_was_continued_in_its_published_folder_is_published_in_place(run: Path, tmp_path: Path) -> None:
    published = publish(run, tmp_path / "results")
    before = {path.name: path.read_bytes() for path in published.iterdir()}
    for name in ("predictions.csv", "folds.json"):
        shutil.copy(run / name, published)
    assert publish(published, tmp_path / "results") == published
    assert {path.name: path.read_bytes() for path in published.iterdir()} == before


def test_what_a_run_has_no_longer_is_removed(run: Path, tmp_path: Path) -> None:
    publish(run, tmp_path / "results")
    (run / VALIDATED).unlink()
    settle(run)
    published = publish(run, tmp_path / "results")
    assert not (published / "validation.csv.gz").exists()
    assert read_predictions(published, VALIDATED) == ([], ())


def test_the_split_of_a_run_on_an_unseen_corpus_is_named_by_its_speakers_too(run: Path, tmp_path: Path) -> None:
    """A card names the speakers that its model was trained on, and not their utterances."""
    (run / VALIDATED).unlink()
    write_predictions(run, [row for row in predictions() if not row.fold], CLASSES)
    write_json(run, "metrics.json", read_json(run, "metrics.json") | {"protocol": "unseen_corpus"})
    folds = read_folds(settle(run))
    found = []
    for number in (0, 1):
        part = {"speakers": [f"other/{number}"], "utterances": []}
        write_json(run, "folds.json", [{"fold": 0, "train": part, "validation": part, "test": folds[0]["test"]}])
        write_json(run, "env.json", {"serkit": "0.1.0"})
        reseal(run)
        published = publish(run, tmp_path / "results", name=f"unseen-{number}")
        found.append(read_json(published, "env.json")["split_digest"])
        assert read_folds(published) == read_folds(run)
    assert found[0] != found[1]


@pytest.mark.parametrize(("changes", "message"), [
    ({"complete": False}, r"cannot be published: it is not finished\. Run 'serkit evaluate'"),
    ({"rows": []}, r"cannot be published: it holds no predictions\."),
])  # fmt: skip
def test_an_unfinished_run_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    write_run(tmp_path / "toy", **changes)  # type: ignore[arg-type]
    with pytest.raises(RunError, match=message):
        publish(tmp_path / "toy", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_damaged_run_is_refused(run: Path, tmp_path: Path) -> None:
    """Nothing is written then."""
    folds = read_folds(run)
    for name, content, message in (
        ("folds.json", folds[1:], r"folds\.json was edited after serkit sealed the run"),
        ("folds.json", [{}], r"folds\.json' is damaged: expected a list of folds"),
        ("env.json", [], r"env\.json' is damaged: expected a JSON object"),
    ):
        good = (run / name).read_text("utf-8")
        write_json(run, name, content)
        with pytest.raises(RunError, match=message):
            publish(run, tmp_path / "results")
        (run / name).write_text(good, "utf-8")
    (run / "recipe.yaml").unlink()
    with pytest.raises(RunError, match=r"is not a run folder: it has no recipe\.yaml"):
        publish(run, tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("content", [b"", b"utterance,corpus", gzip.compress(b"utterance", mtime=0)[:-6]])
def test_a_damaged_compressed_table_is_named(run: Path, tmp_path: Path, content: bytes) -> None:
    published = publish(run, tmp_path / "results")
    (published / "predictions.csv.gz").write_bytes(content)
    with pytest.raises(RunError, match=r"predictions\.csv\.gz"):
        read_predictions(published)


def test_a_run_without_folds_says_so(run: Path, tmp_path: Path) -> None:
    published = publish(run, tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "folds")
    with pytest.raises(RunError, match=r"is not a run folder: it has no folds\.json\.$"):
        read_folds(published)
