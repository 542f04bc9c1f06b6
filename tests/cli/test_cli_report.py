"""``serkit report``, as its users call it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from serkit.lab.measure import pooled_metrics, run_records
from serkit.lab.measure.intervals import Interval, bootstrap_interval
from serkit.lab.measure.metrics import macro_f1, uar, weighted_accuracy
from serkit.lab.measure.run_folder import TESTED, VALIDATED, read_predictions
from serkit.lab.report import run_contents
from support.calling import Call, assert_one_sentence
from support.run_folders import write_run


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pooled_metrics, run_contents):
        monkeypatch.setattr(module, "bootstrap_interval", partial(bootstrap_interval, draws=50))


def test_a_report_stands_in_the_run_folder_and_its_path_is_printed(call: Call, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "toy")
    done = call("report", folder)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_a_report_and_its_figures_go_where_they_are_asked(call: Call, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "toy")
    done = call("report", folder, "--out", tmp_path / "a.html", "--figures", tmp_path / "f", "--format", "svg")
    assert done.code == 0, done.err
    lines = [Path(line) for line in done.out.splitlines()]
    assert lines[0] == tmp_path / "a.html"
    assert {path.suffix for path in lines[1:]} == {".svg"}
    assert {path.parent for path in lines[1:]} == {tmp_path / "f"}
    assert all(path.is_file() for path in lines)
    assert not (folder / "report.html").exists()


def test_a_report_and_its_figures_read_and_measure_a_run_once(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, measured = [], []

    def reading(folder: Path, name: str = TESTED) -> object:
        read.append(name)
        return read_predictions(folder, name)

    def measuring(*args: Any, **options: Any) -> Interval:
        measured.append(options.get("metric", uar))
        return bootstrap_interval(*args, draws=5, **options)

    monkeypatch.setattr(run_records, "read_predictions", reading)
    for module in (pooled_metrics, run_contents):
        monkeypatch.setattr(module, "bootstrap_interval", measuring)
    folder = write_run(tmp_path / "toy")
    measured.clear()  # of writing the run
    assert call("report", folder, "--figures", tmp_path / "f").code == 0
    assert read == [TESTED, VALIDATED]
    assert [measured.count(metric) for metric in (weighted_accuracy, macro_f1)] == [1, 1]


def test_of_several_runs_those_that_are_none_are_left_out(call: Call, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "toy")
    done = call("report", folder, tmp_path / "absent")
    assert done.code == 1
    assert done.out == f"{folder / 'report.html'}\n"
    assert done.err == f"serkit: skipped: '{tmp_path / 'absent'}' is not a run folder: there is no such folder.\n"
    assert call("report", tmp_path / "absent", tmp_path / "gone").code == 2


def test_what_cannot_be_reported_is_one_sentence(call: Call, tmp_path: Path) -> None:
    assert_one_sentence(call("report", tmp_path), "is not a run folder: it has no metrics.json.")
    write_run(tmp_path / "empty", [])
    assert_one_sentence(call("report", tmp_path / "empty"), "holds no predictions: no fold is finished yet.")
    folder = write_run(tmp_path / "toy")
    assert_one_sentence(call("report", folder, folder, "--out", "a.html"), "--out names one file, but there are 2 runs")
    assert_one_sentence(call("report", folder, "--out", tmp_path), "is a folder; name the file to write.")
    assert_one_sentence(call("report", folder, "--data", tmp_path), "--data needs --audio")
    assert_one_sentence(call("report", folder, "--audio"), "no data folder given")
    assert_one_sentence(call("report", folder, "--audio", "--data", tmp_path), "toy")


def test_a_folder_of_corpora_in_the_environment_puts_no_audio_into_a_page(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERKIT_CORPORA", str(tmp_path))
    folder = write_run(tmp_path / "toy")
    assert call("report", folder).code == 0
    assert "<audio" not in (folder / "report.html").read_text("utf-8")


def test_a_report_of_an_edited_run_says_so_and_only_on_request(call: Call, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "toy")
    (folder / "recipe.yaml").write_text("name: toy-loso-crnn\nseeds:\n- 0\n", "utf-8")
    done = call("report", folder)
    assert done.code == 2
    assert "recipe.yaml was edited after serkit sealed the run" in done.err
    assert not (folder / "report.html").exists()
    assert call("report", folder, "--unsealed").code == 0
    page = (folder / "report.html").read_text("utf-8")
    first = page[: page.index("<h2")]
    assert "Unsealed: not taken as measured." in first
    assert "recipe.yaml was edited after serkit sealed the run" in first
