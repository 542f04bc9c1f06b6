"""A run folder as one row of a table."""

import json
from pathlib import Path

import pytest

from serkit.errors import RunError
from serkit.lab.measure.run_entry import measure_records, read_entry, read_records, recompute, what_is_fitted
from serkit.lab.measure.run_folder import read_json
from support.leaderboard_runs import write_recipe, write_run
from support.metrics_file import write_metrics
from support.run_folders import CLASSES, facts

pytestmark = pytest.mark.usefixtures("quick_bootstrap")


def test_numbers_recomputed_from_predictions_are_those_of_the_metrics(tmp_path: Path) -> None:
    found, stored = recompute(write_run(tmp_path)), read_json(tmp_path, "metrics.json")
    for name in stored.keys() - {"fits"}:
        assert found[name] == (pytest.approx(stored[name], abs=0.02) if name == "ece" else stored[name]), name


def test_predictions_decide_and_not_the_metrics(tmp_path: Path) -> None:
    write_run(tmp_path)
    changed = (tmp_path / "predictions.csv").read_text("utf-8").replace(",anger,anger,", ",anger,fear,")
    (tmp_path / "predictions.csv").write_text(changed, "utf-8")
    found = recompute(tmp_path, unsealed=True)
    assert found["uar"] < read_json(tmp_path, "metrics.json")["uar"]
    assert found["unsealed"].startswith("predictions.csv was edited after serkit sealed the run")


def test_a_run_without_predictions_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run folder: it has no metrics\.json"):
        recompute(tmp_path)
    write_metrics(tmp_path, [], CLASSES, [], facts(protocol="all_speakers"))
    with pytest.raises(RunError, match=r"holds no predictions: it was trained, not evaluated\.$"):
        recompute(tmp_path)
    write_metrics(tmp_path, [], CLASSES, [], facts())
    with pytest.raises(RunError, match=r"holds no predictions: no fold is finished yet\.$"):
        recompute(tmp_path)


def test_damaged_metrics_are_named(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "toy"}', "utf-8")
    with pytest.raises(RunError, match=r"metrics\.json' is damaged: it lacks protocol, is_speaker_independent"):
        recompute(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "to', "utf-8")
    with pytest.raises(RunError, match=r"metrics\.json' is damaged"):
        recompute(tmp_path)


def test_an_entry_has_the_metrics_of_its_records(tmp_path: Path) -> None:
    write_run(tmp_path)
    row = read_entry(tmp_path).row
    metrics = measure_records(read_records(tmp_path))
    assert {name: row[name] for name in metrics} == metrics
    assert row.keys() - metrics.keys() == {"together", "fitted"}


def test_an_older_run_with_a_british_key_fits_what_a_newer_one_does(tmp_path: Path) -> None:
    write_recipe(tmp_path, features=[{"name": "logmel", "normalize": "band"}])
    fitted, recipe = what_is_fitted(tmp_path), tmp_path / "recipe.yaml"
    older = recipe.read_text("utf-8").replace("normalize:", "normalise:")
    assert older != recipe.read_text("utf-8")
    recipe.write_text(older, "utf-8")
    assert what_is_fitted(tmp_path) == fitted


def test_a_file_is_not_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"is not a run folder: it is a file\.$"):
        read_entry(tmp_path / "file")
    with pytest.raises(RunError, match=r"is not a run folder: there is no such folder\.$"):
        read_entry(tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "value"),
    [("validation", ["speakers"]), ("corpora", "toy"), ("corpora", [1]), ("complete", "yes"), ("labels", None),
     ("pretraining", ["nemo"]), ("model", {"name": "crnn"})],
)  # fmt: skip
def test_a_fact_of_another_type_is_one_sentence(tmp_path: Path, name: str, value: object) -> None:
    folder = write_run(tmp_path / "run")
    content = json.loads((folder / "metrics.json").read_text("utf-8"))
    (folder / "metrics.json").write_text(json.dumps(content | {name: value}), "utf-8")
    with pytest.raises(RunError, match=rf"metrics\.json' is damaged: its {name} is "):
        read_records(folder)
