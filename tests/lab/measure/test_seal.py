"""A seal finds edits in a run folder, wherever the folder is read, and a killed job never looks like one."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serkit.errors import RunError
from serkit.lab.experiments import Run
from serkit.lab.leaderboard import as_csv, as_html, as_json, as_markdown, as_page, as_sections, compare
from serkit.lab.measure import seal
from serkit.lab.measure.calibration_transfer import read_transfer
from serkit.lab.measure.publish import publish
from serkit.lab.measure.run_entry import read_entry
from serkit.lab.measure.run_folder import (
    VALIDATED,
    read_json,
    read_predictions,
    write_json,
    write_predictions,
)
from serkit.lab.measure.run_records import check_run
from serkit.lab.measure.seal import (
    NEXT_SEAL,
    SEAL,
    broken_seal,
    check_before_resuming,
    digests_of,
    sealing,
    write_sealed,
)
from serkit.lab.report import read_run, write_report
from serkit.lab.report.first_screen import remarks
from serkit.writing import write_whole
from support.leaderboard_runs import write_run
from support.run_folders import CLASSES
from support.sealed_runs import rotated, settle, unseal

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
FILES = ("predictions.csv", "validation.csv", "folds.json", "metrics.json", "recipe.yaml", "env.json")
READERS: dict[str, Callable[[Path], object]] = {
    "compare": read_entry,
    "report": read_run,
    "calibration": read_transfer,
    "publish": lambda folder: publish(folder, folder.parent / "results"),
    "Run": lambda folder: Run(folder).metrics,
    "Run.predictions": lambda folder: Run(folder).predictions,
    "check": check_run,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, quick_bootstrap: None) -> Path:
    return validated_run(tmp_path_factory.mktemp("built") / "run")


@pytest.fixture
def run(built: Path, tmp_path: Path) -> Path:
    """A copy of a sealed run, to be changed."""
    return Path(shutil.copytree(built, tmp_path / "run"))


def validated_run(folder: Path, **changes: Any) -> Path:
    """Write a sealed run of two seeds, with validation predictions."""
    write_run(folder, **{"name": folder.name} | changes)
    write_predictions(folder, rotated(read_predictions(folder)[0]), CLASSES, VALIDATED)
    return settle(folder)


def edit(folder: Path, name: str) -> None:
    """Change a file without a change of what the tables show, so that only the seal tells."""
    path = folder / name
    text = path.read_text("utf-8")
    if path.suffix == ".csv":
        head, *lines = text.splitlines(keepends=True)
        path.write_text("".join([head, lines[1], lines[0], *lines[2:]]), "utf-8")
    elif path.suffix == ".json":
        content = json.loads(text)
        (content[0] if isinstance(content, list) else content)["x"] = 1
        path.write_text(json.dumps(content), "utf-8")
    else:
        path.write_text(text + "\n", "utf-8")


# Reading


@pytest.mark.parametrize("reader", READERS)
def test_a_sealed_run_is_read_by_everything(run: Path, reader: str) -> None:
    READERS[reader](run)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", FILES)
def test_an_edited_file_is_refused_by_everything_that_reads_runs(run: Path, reader: str, name: str) -> None:
    edit(run, name)
    with pytest.raises(RunError, match=rf"{name} was edited after serkit sealed the run.*'serkit compare --unsealed'"):
        READERS[reader](run)


@pytest.mark.parametrize("name", FILES[:2])
def test_a_removed_or_added_table_is_refused(run: Path, name: str) -> None:
    other = settle(write_run(run.parent / "other"))
    shutil.copy(run / VALIDATED, other)
    with pytest.raises(RunError, match=r"validation\.csv was added after serkit sealed the run"):
        read_entry(other)
    (run / VALIDATED).unlink()
    with pytest.raises(RunError, match=r"validation\.csv is missing, and the seal in env\.json has its digest"):
        read_entry(run)


@pytest.mark.parametrize("reader", READERS)
def test_a_run_without_a_seal_is_told_and_refused(run: Path, reader: str) -> None:
    unseal(run)
    with pytest.raises(RunError, match=r"it has no seal: .* or the seal was removed\. Run the recipe again; "):
        READERS[reader](run)


def test_content_is_sealed_and_not_its_form(run: Path, tmp_path: Path) -> None:
    """A published run has the digests of the run; line ends and the layout of JSON are no edit."""
    published = publish(run, tmp_path / "results")
    assert read_json(published, "env.json")[SEAL] == read_json(run, "env.json")[SEAL]
    assert read_entry(published).row == read_entry(run).row
    before = digests_of(run, read_json(run, "env.json"))
    for name in ("predictions.csv", "recipe.yaml"):
        (run / name).write_bytes((run / name).read_bytes().replace(b"\n", b"\r\n"))
    for name in ("metrics.json", "env.json", "folds.json"):
        content = read_json(run, name)
        (run / name).write_text(json.dumps(content, separators=(",", ":")), "utf-8")
    assert digests_of(run, read_json(run, "env.json")) == before
    read_entry(run)


def test_an_edit_of_a_published_run_is_refused(run: Path, tmp_path: Path) -> None:
    published = publish(run, tmp_path / "results")
    write_json(published, "env.json", read_json(published, "env.json") | {"audio_digest": "another"})
    with pytest.raises(RunError, match=r"env\.json was edited"):
        read_entry(published)


# --unsealed


@pytest.mark.parametrize("change", [lambda run: edit(run, "predictions.csv"), unseal])
def test_every_table_marks_an_unsealed_run_and_says_why(run: Path, change: Callable[[Path], object]) -> None:
    sealed = read_entry(validated_run(run.parent / "sealed", wrong=3))
    change(run)
    entry = read_entry(run, unsealed=True)
    why = entry.row["unsealed"]
    assert why.startswith(("predictions.csv was edited after", "it has no seal"))
    board = compare([entry, sealed])
    mark = f"(unsealed: {why})"
    assert f"run {mark}" in as_markdown([entry.row])
    tables = [part for part in as_page(board).split("\n\n") if part.startswith("| ") and "| run" in part]
    assert len(tables) >= 3
    assert all(mark in table for table in tables if "| run " in table.replace("| run |", ""))
    assert as_page(board).count(mark) > as_sections(board).count(mark) >= 3
    assert as_html(board).count(why) >= 3
    assert ">unsealed<" in as_html(board)
    cells = {row["run"]: row["unsealed"] for row in csv.DictReader(io.StringIO(as_csv(board)))}
    assert cells == {"run": why, "sealed": ""}
    assert {row["name"]: row["unsealed"] for row in json.loads(as_json(board))} == {"run": why, "sealed": None}
    screen = " ".join(str(text) for _, text in remarks(read_run(run, unsealed=True)))
    assert "Unsealed: not taken as measured." in screen
    assert why in screen
    assert "No leak found" not in screen


def test_an_unsealed_run_is_no_headline_and_no_reference(run: Path) -> None:
    others = [read_entry(validated_run(run.parent / name, wrong=3)) for name in ("a", "b")]
    unseal(run)
    board = compare([read_entry(run, unsealed=True), *others])
    assert board.families[0].reference.name == "a"
    assert not any(board.is_headline(entry) for entry in board.entries if entry.name == "run")
    alone = compare([read_entry(run, unsealed=True)])
    assert alone.families[0].why == "the first run; an unsealed run is never chosen by its validation UAR"


def test_python_reads_an_unsealed_run_with_its_reason(run: Path) -> None:
    edit(run, "metrics.json")
    assert repr(Run(run)) == f"Run({str(run)!r}, refused)"
    known = Run(run, unsealed=True)
    assert known.metrics["unsealed"] == "metrics.json was edited after serkit sealed the run"
    assert repr(known) == f"Run({str(run)!r}, unsealed)"
    page = write_report(run, out=run.parent / "page.html", unsealed=True).read_text("utf-8")
    assert "metrics.json was edited after serkit sealed the run" in page
    assert known.uar == known.metrics["uar"]


def test_a_run_that_is_read_again_and_again_is_checked_again_when_it_changes(run: Path) -> None:
    known = Run(run)
    assert known.uar == known.uar
    edit(run, "predictions.csv")
    with pytest.raises(RunError, match=r"predictions\.csv was edited"):
        _ = known.uar


# Resuming


@pytest.mark.parametrize("name", FILES[:4])
def test_a_run_with_an_edited_file_is_not_resumed(run: Path, name: str) -> None:
    check_before_resuming(run, read_json(run, "env.json"))
    edit(run, name)
    with pytest.raises(RunError, match=rf"cannot be resumed: {name} was edited .* Restore the file, or choose another"):
        check_before_resuming(run, read_json(run, "env.json"))


@pytest.mark.parametrize("name", ["predictions.csv", "metrics.json"])
def test_a_run_without_what_is_computed_again_is_resumed(run: Path, name: str) -> None:
    (run / name).unlink()
    check_before_resuming(run, read_json(run, "env.json"))
    edit(run, VALIDATED)
    with pytest.raises(RunError, match=r"validation\.csv was edited"):
        check_before_resuming(run, read_json(run, "env.json"))


def test_a_run_of_an_older_serkit_is_not_resumed_and_so_never_sealed(run: Path) -> None:
    unseal(run)
    with pytest.raises(RunError, match="cannot be resumed: it has no seal"):
        check_before_resuming(run, read_json(run, "env.json"))
    write_sealed(run, {"recipe": (run / "recipe.yaml").read_text("utf-8")})
    assert SEAL not in read_json(run, "env.json")


# Killed jobs


class Killed(Exception):
    """What stands for the end of a job in the middle of its work."""


def dying_after(writes: int) -> Callable[[Path, str], None]:
    """Return a writer that writes so many files, and then is killed."""
    left = [writes]

    def write(path: Path, text: str) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        write_whole(path, text)

    return write


TEXTS = {"predictions": "predictions.csv", "validation": "validation.csv", "metrics": "metrics.json"}


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("writes", range(6))
def test_a_job_killed_between_any_two_writes_leaves_no_edit(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int, is_whole: bool
) -> None:
    """The next write may be killed too, and the last one that is not leaves the new files under one seal."""
    other = validated_run(tmp_path / "other", wrong=3, name="run")
    texts = {name: (other / file).read_text("utf-8") for name, file in TEXTS.items()}
    environment = None
    if is_whole:
        texts |= {name: (run / file).read_text("utf-8") for name, file in (("folds", "folds.json"),
                                                                             ("recipe", "recipe.yaml"))}  # fmt: skip
        environment = read_json(run, "env.json")
    for _ in range(2):
        monkeypatch.setattr(seal, "write_whole", dying_after(writes))
        done = len(texts) + 2 <= writes
        if done:
            write_sealed(run, texts, environment)
        else:
            with pytest.raises(Killed):
                write_sealed(run, texts, environment)
        monkeypatch.undo()
        known = read_json(run, "env.json")
        assert broken_seal(run, known) == ""
        check_before_resuming(run, known)
        assert NEXT_SEAL not in read_json(run, "env.json")
    write_sealed(run, texts, environment)
    assert read_json(run, "env.json").keys() == read_json(other, "env.json").keys()
    assert read_entry(run).row["uar"] == read_entry(other).row["uar"]


def test_an_edit_beside_a_killed_job_is_still_found(run: Path) -> None:
    with pytest.raises(Killed), sealing(run, {"predictions": (run / "predictions.csv").read_text("utf-8") + "x"}):
        raise Killed
    assert NEXT_SEAL in read_json(run, "env.json")
    read_entry(run)
    edit(run, "metrics.json")
    with pytest.raises(RunError, match=r"metrics\.json was edited"):
        read_entry(run)
    with pytest.raises(RunError, match=r"metrics\.json was edited"):
        check_before_resuming(run, read_json(run, "env.json"))


def test_a_new_folder_is_claimed_whole_or_can_be_claimed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for writes in range(5):
        folder = tmp_path / str(writes)
        monkeypatch.setattr(seal, "write_whole", dying_after(writes))
        try:
            write_sealed(folder, {"folds": "[]\n", "recipe": "name: a\n"}, {"serkit": "0"})
        except Killed:
            assert writes < 4
        monkeypatch.undo()
        if (folder / "recipe.yaml").is_file():
            check_before_resuming(folder, read_json(folder, "env.json"))
        write_sealed(folder, {"folds": "[]\n", "recipe": "name: a\n"}, {"serkit": "0"})
        assert broken_seal(folder, read_json(folder, "env.json")) == ""
