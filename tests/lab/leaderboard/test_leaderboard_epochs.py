"""A validation UAR that has chosen the epoch is marked, wherever it stands."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from serkit.lab.leaderboard import RunEntry, as_csv, as_html, as_json, as_markdown, as_page, compare, read_entry
from serkit.lab.leaderboard.table_text import EPOCH
from serkit.lab.measure.run_folder import VALIDATED, Fit, write_predictions
from support.leaderboard_runs import write_recipe
from support.metrics_file import write_metrics
from support.run_folders import CLASSES, facts, predictions
from support.sealed_runs import rotated, settle

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
LAST = {"kept": 4, "epochs": 5}


def run_of(folder: Path, *fits: dict[str, Any], seeds: tuple[int, ...] = (0,), seen: float | None = 50.0) -> RunEntry:
    """Write a run whose folds take these fits in turn."""
    rows = predictions(seeds=seeds)
    places = sorted({(row.fold, row.seed) for row in rows})
    made = []
    for number, (fold, seed) in enumerate(places):
        epochs: dict[str, Any] = {"kept": 0, "epochs": 9} | fits[number % len(fits)]
        made.append(Fit(fold, seed, validation_uar=seen, temperature=1.0, seconds=3.0, **epochs))
    write_predictions(folder, rows, CLASSES)
    if seen is not None:
        write_predictions(folder, rotated(rows), CLASSES, VALIDATED)
    write_metrics(folder, rows, CLASSES, made, facts(name=folder.name), validated=rows if seen is not None else ())
    write_recipe(folder)
    return read_entry(settle(folder))


def member(**epochs: int) -> dict[str, Any]:
    return {"members": [asdict(Fit(0, 0, validation_uar=50.0, temperature=1.0, seconds=1.0, **epochs))]}


@pytest.mark.parametrize(
    ("fits", "is_chosen"),
    [
        ([LAST], False),
        ([LAST, LAST | {"kept": 2}], True),  # one fit of several is enough
        ([{"kept": 0, "epochs": 1}], False),  # a classical model
        ([member(kept=4, epochs=5), member(kept=0, epochs=1)], False),
        ([member(kept=4, epochs=5), member(kept=3, epochs=5)], True),
    ],
)
def test_a_run_is_marked_where_a_fit_kept_another_epoch_than_its_last(
    fits: list[dict[str, Any]], is_chosen: bool, tmp_path: Path
) -> None:
    run = run_of(tmp_path / "run", *fits)
    assert run.row["is_epoch_chosen"] is is_chosen
    text = as_markdown([run.row])
    assert (f"^ {EPOCH}" in text) is is_chosen
    assert text.splitlines()[2].endswith("^ |" if is_chosen else f"{run.row['validation_uar']:.1f} |")


def test_without_a_validation_uar_there_is_nothing_to_mark(tmp_path: Path) -> None:
    assert "^" not in as_markdown([run_of(tmp_path / "run", LAST | {"kept": 2}, seen=None).row])


def test_every_format_marks_it(tmp_path: Path) -> None:
    chosen = run_of(tmp_path / "chosen", LAST | {"kept": 2}, seeds=(0, 3))
    plain = run_of(tmp_path / "plain", LAST, seeds=(0, 3))
    board = compare([chosen, plain])
    seen = f"{chosen.row['validation_uar']:.1f}"
    together = f"{chosen.row['together']['validation_uar']:.1f}"
    page, html = as_page(board), as_html(board)
    assert f"| {seen}^ | {together}^ |" in page
    assert f"| {seen} | {together} |" in page
    assert page.count(f"^ {EPOCH}") == html.count(f"^ {EPOCH}") == 2  # below the table, and below that of seeds
    assert {row["name"]: row["is_epoch_chosen"] for row in json.loads(as_json(board))} == {
        "chosen": True,
        "plain": False,
    }
    rows = list(csv.DictReader(io.StringIO(as_csv(board))))
    assert {row["run"]: row["is_epoch_chosen"] for row in rows} == {"chosen": "1", "plain": "0"}
