"""``serkit compare``, as its users call it."""

import csv
import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from serkit.lab.measure import pooled_metrics
from serkit.lab.measure.intervals import bootstrap_interval
from serkit.lab.measure.run_folder import VALIDATED, write_predictions
from support.calling import Call, assert_one_sentence
from support.run_folders import CLASSES, predictions, write_run
from support.sealed_runs import settle


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooled_metrics, "bootstrap_interval", partial(bootstrap_interval, draws=50))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs on the same utterances, which kept their answers on validation."""
    found = []
    for name, skill in (("better", 0.9), ("worse", 0.3)):
        rows = predictions(skill=skill)
        folder = write_run(tmp_path / name, rows, name=name)
        write_predictions(folder, [replace(row, fold=(row.fold - 1) % 7) for row in rows], CLASSES, VALIDATED)
        found.append(settle(folder))
    return found[0], found[1]


def test_two_runs_stand_side_by_side_with_their_difference(call: Call, pair: tuple[Path, Path]) -> None:
    done = call("compare", *pair)
    assert (done.code, done.err) == (0, "")
    assert "| **better** | leave one speaker out |" in done.out
    assert "## Differences on the same clips" in done.out
    assert "Reference: better" in done.out
    asked = call("compare", *pair, "--against", "worse")
    assert "Reference: worse" in asked.out
    assert call("compare", *pair, "--against", pair[1]).out == asked.out


def test_every_format_is_printed(call: Call, pair: tuple[Path, Path]) -> None:
    printed = {name: call("compare", *pair, "--format", name) for name in ("markdown", "csv", "html", "page", "json")}
    assert {done.code for done in printed.values()} == {0}
    assert {done.err for done in printed.values()} == {""}
    assert printed["markdown"].out == call("compare", *pair).out
    assert [row["run"] for row in csv.DictReader(io.StringIO(printed["csv"].out))] == ["better", "worse"]
    assert printed["html"].out.startswith("<!doctype html>")
    assert printed["page"].out.startswith("# Results\n")
    assert [row["name"] for row in json.loads(printed["json"].out)] == ["better", "worse"]


@pytest.mark.parametrize(
    ("name", "start"), [("a.html", "<!doctype html>"), ("a.csv", "run,"), ("a.json", "["), ("a.md", "Runs are grouped")]
)
def test_a_file_is_written_in_the_format_of_its_name(
    call: Call, pair: tuple[Path, Path], tmp_path: Path, name: str, start: str
) -> None:
    out = tmp_path / "new" / name
    done = call("compare", *pair, "--out", out)
    assert (done.code, done.out, done.err) == (0, f"{out}\n", "")
    assert out.read_text("utf-8").startswith(start)
    assert out.read_text("utf-8").endswith("\n")


def test_a_format_that_is_asked_for_goes_before_the_name(call: Call, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    assert call("compare", *pair, "--out", out, "--format", "page").code == 0
    assert out.read_text("utf-8").startswith("# Results\n")


def test_one_run_is_one_row(call: Call, pair: tuple[Path, Path]) -> None:
    done = call("compare", pair[0])
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 3


def test_a_folder_that_is_no_run_is_named_and_left_out(call: Call, pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = call("compare", *pair, tmp_path / "absent")
    assert done.code == 1
    assert done.err == f"serkit: skipped: '{tmp_path / 'absent'}' is not a run folder: there is no such folder.\n"
    assert done.out == call("compare", *pair).out
    done = call("compare", tmp_path / "absent", tmp_path / "gone")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == "serkit: none of the runs has predictions to compare."


def test_a_run_that_is_named_twice_is_compared_once(call: Call, pair: tuple[Path, Path]) -> None:
    assert call("compare", *pair, pair[0]).out == call("compare", *pair).out
    folder = write_run(pair[0].parent / "fits", name="fits")
    (folder / "metrics.json").write_text(
        (folder / "metrics.json").read_text("utf-8").replace('"fold"', '"of"'), "utf-8"
    )
    done = call("compare", *pair, folder)
    assert done.code == 1
    assert "is damaged, or written by another version of serkit" in done.err


def test_what_cannot_be_compared_is_one_sentence(call: Call, pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert_one_sentence(call("compare", tmp_path / "absent"), "there is no such folder")
    assert_one_sentence(call("compare", tmp_path), "is not a run folder: it has no metrics.json.")
    assert_one_sentence(call("compare", *pair, "--against", "wrose"), "did you mean 'worse'?")
    assert_one_sentence(call("compare", *pair, "--against", tmp_path), "is not a run folder")
    assert_one_sentence(call("compare", *pair, "--out", tmp_path), "is a folder; name the file to write.")
    other = write_run(tmp_path / "other", predictions(corpora=("far",)), name="other", labels="other")
    assert_one_sentence(
        call("compare", *pair, "--against", other),
        "no other run was tested on the same utterances and audio with the same classes (label set 'other', 42 "
        "utterances)",
    )
    assert_one_sentence(call("compare", pair[0], "--against", pair[0]), "so there is nothing to compare it with.")


def test_recipes_that_cannot_be_run_are_read_beside_the_runs(call: Call, pair: tuple[Path, Path]) -> None:
    table = pair[0].parent / "not-measured.csv"
    table.write_text("recipe,why\nmspodcast-crnn,no MSP-Podcast\n", "utf-8")
    for form in ("page", "html"):
        assert "mspodcast-crnn" in call("compare", *pair, "--format", form).out
    table.write_text("a,b\n", "utf-8")
    assert_one_sentence(call("compare", *pair, "--format", "page"), "expected the columns recipe,why")


@pytest.mark.parametrize("name", ["markdown", "csv", "html", "page", "json"])
def test_an_edited_run_is_refused_and_marked_in_every_format_on_request(
    call: Call, pair: tuple[Path, Path], name: str
) -> None:
    path = pair[1] / "validation.csv"
    head, one, two, *others = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([head, two, one, *others]), "utf-8")
    done = call("compare", *pair, "--format", name)
    assert done.code == 1
    assert "skipped" in done.err
    assert "validation.csv was edited after serkit sealed the run." in done.err
    shown = call("compare", *pair, "--format", name, "--unsealed")
    assert (shown.code, shown.err) == (0, "")
    assert "validation.csv was edited after serkit sealed the run" in shown.out
    assert_one_sentence(call("compare", pair[0], "--against", pair[1]), "was edited after serkit sealed the run")
    assert call("compare", pair[0], "--against", pair[1], "--unsealed").code == 0
