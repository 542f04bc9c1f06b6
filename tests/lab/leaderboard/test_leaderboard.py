from pathlib import Path

import pytest

from serkit.errors import RunError
from serkit.lab.leaderboard import as_markdown, recompute
from serkit.lab.measure.pooled_metrics import write_metrics
from serkit.lab.measure.run_folder import read_json, read_predictions, write_predictions
from support.leaderboard_runs import write_run
from support.run_folders import CLASSES, facts

pytestmark = pytest.mark.usefixtures("quick_bootstrap")


# Recomputing


def test_numbers_recomputed_from_predictions_are_those_of_the_metrics(tmp_path: Path) -> None:
    found, stored = recompute(write_run(tmp_path)), read_json(tmp_path, "metrics.json")
    for name in stored.keys() - {"fits"}:
        assert found[name] == (pytest.approx(stored[name], abs=0.02) if name == "ece" else stored[name]), name


def test_predictions_decide_and_not_the_metrics(tmp_path: Path) -> None:
    write_run(tmp_path)
    changed = (tmp_path / "predictions.csv").read_text("utf-8").replace(",anger,anger,", ",anger,fear,")
    (tmp_path / "predictions.csv").write_text(changed, "utf-8")
    assert recompute(tmp_path)["uar"] < read_json(tmp_path, "metrics.json")["uar"]


def test_a_run_without_predictions_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run folder: it has no metrics\.json"):
        recompute(tmp_path)
    write_metrics(tmp_path, [], CLASSES, [], facts(protocol="all_speakers"))
    with pytest.raises(RunError, match=r"holds no predictions: it was trained, not evaluated\.$"):
        recompute(tmp_path)
    write_metrics(tmp_path, [], CLASSES, [], facts())
    with pytest.raises(RunError, match=r"holds no predictions: no fold is done yet\.$"):
        recompute(tmp_path)


def test_damaged_metrics_are_named(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "toy"}', "utf-8")
    with pytest.raises(RunError, match=r"has a metrics\.json without protocol, is_speaker_independent"):
        recompute(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "to', "utf-8")
    with pytest.raises(RunError, match=r"metrics\.json' is damaged"):
        recompute(tmp_path)


# Tables


def cells(markdown: str, name: str) -> list[str]:
    (line,) = (line for line in markdown.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_holds_protocol_classes_speakers_clips_seeds_and_numbers(tmp_path: Path) -> None:
    run = recompute(write_run(tmp_path))
    interval = f"{run['uar']:.1f} [{run['uar_low']:.1f}, {run['uar_high']:.1f}]"
    assert cells(as_markdown([run]), "toy-loso-crnn") == [
        "toy-loso-crnn", "leave one speaker out", "2", "7", "56", "2", interval,
        f"{run['wa']:.1f}", f"{run['macro_f1']:.1f}", "61.3~",
    ]  # fmt: skip


def test_a_table_has_as_many_cells_in_every_row(tmp_path: Path) -> None:
    table = as_markdown([recompute(write_run(tmp_path / name, name=name)) for name in ("a", "b")])
    assert {line.count("|") for line in table.splitlines()} == {11}
    assert table.splitlines()[1] == "|" + " --- |" * 10


def test_a_run_that_shares_speakers_is_marked(tmp_path: Path) -> None:
    fair = recompute(write_run(tmp_path / "fair"))
    leaky = write_run(tmp_path / "leaky", name="toy-random-crnn", protocol="random", is_speaker_independent=False)
    table = as_markdown([fair, recompute(leaky)])
    assert cells(table, "toy-random-crnn")[1] == "random **(shares speakers)**"
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
    assert cells(table, "few")[6].endswith("]\\*")
    assert cells(table, "toy-loso-crnn")[6].endswith("]")
    assert table.endswith("\\* resampled over utterances within speakers: it tells nothing about new speakers.")
    assert "\\*" not in as_markdown([many])


def test_a_validation_uar_is_computed_anew_from_its_answers(tmp_path: Path) -> None:
    """And no longer marked as a mean over folds."""
    folder = write_run(tmp_path)
    rows, classes = read_predictions(folder)
    write_predictions(folder, rows, classes, "validation.csv")
    run = recompute(folder)
    assert run["validation_uar"] == run["uar"] != read_json(folder, "metrics.json")["validation_uar"]
    assert cells(as_markdown([run]), "toy-loso-crnn")[-1] == f"{run['uar']:.1f}"


def test_a_run_without_validation_has_an_empty_cell(tmp_path: Path) -> None:
    run = recompute(write_run(tmp_path)) | {"validation_uar": None}
    assert cells(as_markdown([run]), "toy-loso-crnn")[-1] == ""
