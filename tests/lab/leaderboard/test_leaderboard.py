from pathlib import Path

import pytest

from serkit.lab.leaderboard import as_markdown
from serkit.lab.measure.run_entry import recompute
from serkit.lab.measure.run_folder import read_json, read_predictions, write_predictions
from support.leaderboard_runs import write_run
from support.sealed_runs import rotated, settle

pytestmark = pytest.mark.usefixtures("quick_bootstrap")


# Tables


def cells(markdown: str, name: str) -> list[str]:
    (line,) = (line for line in markdown.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_holds_protocol_classes_speakers_clips_seeds_and_numbers(tmp_path: Path) -> None:
    run = recompute(write_run(tmp_path))
    interval = f"{run['uar']:.1f} [{run['uar_low']:.1f}, {run['uar_high']:.1f}]"
    assert cells(as_markdown([run]), "toy-loso-crnn") == [
        "toy-loso-crnn", "leave one speaker out", "2", "7", "56", "2", "50.0", interval,
        f"{run['wa']:.1f}", f"{run['macro_f1']:.1f}", "61.3~",
    ]  # fmt: skip


def test_a_table_has_as_many_cells_in_every_row(tmp_path: Path) -> None:
    table = as_markdown([recompute(write_run(tmp_path / name, name=name)) for name in ("a", "b")])
    assert {line.count("|") for line in table.splitlines()} == {12}
    assert table.splitlines()[1] == "|" + " --- |" * 11


def test_a_run_that_shares_speakers_is_marked(tmp_path: Path) -> None:
    fair = recompute(write_run(tmp_path / "fair"))
    leaky = write_run(tmp_path / "leaky", name="toy-random-crnn", protocol="random", is_speaker_independent=False)
    table = as_markdown([fair, recompute(leaky)])
    assert cells(table, "toy-random-crnn")[1] == "random split **(shares speakers)**"
    assert table.count("shares speakers") == 1


def test_validation_on_sentences_of_training_speakers_is_marked(tmp_path: Path) -> None:
    table = as_markdown([recompute(write_run(tmp_path, validation="sentences"))])
    assert cells(table, "toy-loso-crnn")[1].endswith("(validated on held-out sentences of training speakers)")


def test_a_run_that_is_not_finished_is_marked(tmp_path: Path) -> None:
    table = as_markdown([recompute(write_run(tmp_path, complete=False))])
    assert cells(table, "toy-loso-crnn")[0] == "toy-loso-crnn (unfinished)"


def test_an_interval_that_tells_nothing_of_new_speakers_is_marked(tmp_path: Path) -> None:
    few, many = recompute(write_run(tmp_path / "few", name="few", speakers=2)), recompute(write_run(tmp_path / "many"))
    table = as_markdown([few, many])
    assert cells(table, "few")[7].endswith("]\\*")
    assert cells(table, "toy-loso-crnn")[7].endswith("]")
    assert table.endswith("\\* resampled over utterances within speakers: this interval does not cover new speakers.")
    assert "\\*" not in as_markdown([many])


def test_a_validation_uar_is_computed_anew_from_its_answers(tmp_path: Path) -> None:
    """And no longer marked as a mean over folds."""
    folder = write_run(tmp_path)
    rows, classes = read_predictions(folder)
    before = read_json(folder, "metrics.json")["validation_uar"]
    write_predictions(folder, rotated(rows), classes, "validation.csv")
    run = recompute(settle(folder))
    assert run["validation_uar"] == run["uar"] != before
    assert cells(as_markdown([run]), "toy-loso-crnn")[-1] == f"{run['uar']:.1f}"


def test_a_run_without_validation_has_an_empty_cell(tmp_path: Path) -> None:
    run = recompute(write_run(tmp_path)) | {"validation_uar": None}
    assert cells(as_markdown([run]), "toy-loso-crnn")[-1] == ""
