"""What the seeds of a run answer together, beside the mean of what each does alone."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serkit.lab.leaderboard import RunEntry, as_csv, as_html, as_json, as_page, compare, read_entry
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.lab.measure.run_folder import TESTED, VALIDATED, Fit, Row, write_predictions
from support.leaderboard_runs import write_recipe
from support.metrics_file import write_metrics
from support.run_folders import CLASSES, facts, predictions
from support.sealed_runs import rotated, settle

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
SEEDS = (0, 3, 5)


def run_of(
    folder: Path, rows: Sequence[Row], validated: Sequence[Row], *, unsealed: bool = False, **changes: Any
) -> RunEntry:
    fits = [Fit(fold, seed, 1, 2, 50.0, 1.0, 3.0) for fold, seed in {(row.fold, row.seed) for row in rows}]
    validated = rotated(validated)
    for some, name in ((rows, TESTED), (validated, VALIDATED)):
        write_predictions(folder, some, CLASSES, name)
    write_metrics(folder, rows, CLASSES, fits, facts(name=folder.name, **changes), validated=validated)
    write_recipe(folder)
    return read_entry(settle(folder), unsealed=unsealed)


@pytest.fixture
def run(tmp_path: Path) -> RunEntry:
    return run_of(tmp_path / "run", predictions(seeds=SEEDS), predictions(seeds=SEEDS, skill=0.3))


def of_mean(rows: Sequence[Row]) -> float:
    """Return the UAR of the mean of what each utterance got, in percent."""
    got: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        got.setdefault((row.utterance, row.fold), []).append(row)
    assert {len(same) for same in got.values()} == {len(SEEDS)}
    true = np.array([CLASSES.index(same[0].true) for same in got.values()])
    answers = np.array([sum(np.array(row.probabilities) for row in same).argmax() for same in got.values()])
    return round(100 * uar(confusion_matrix(true, answers, len(CLASSES))), 2)


def test_seeds_answer_together_by_the_mean_of_their_probabilities(run: RunEntry) -> None:
    together = run.row["together"]
    assert together["uar"] == of_mean(predictions(seeds=SEEDS))
    assert together["validation_uar"] == of_mean(predictions(seeds=SEEDS, skill=0.3))
    assert together["uar_low"] <= together["uar"] <= together["uar_high"]
    assert together["utterances"] == run.row["utterances"], "each once, not once a seed"
    assert together["uar"] > run.row["uar"], "these seeds err apart from each other"


def test_an_unfinished_seed_answers_nothing_and_one_alone_is_no_ensemble(tmp_path: Path) -> None:
    rows, validated = predictions(seeds=SEEDS), predictions(seeds=SEEDS)
    some = [row for row in rows if row.seed != 5 or row.fold]
    seen = [row for row in validated if row.seed != 5 or row.fold != 6]  # validated in the next fold
    short = run_of(tmp_path / "short", some, seen, complete=False)
    assert short.row["seeds"] == [0, 3]
    assert short.row["together"]["uar"] == pytest.approx(
        run_of(
            tmp_path / "two", [row for row in rows if row.seed != 5], [row for row in validated if row.seed != 5]
        ).row["together"]["uar"]
    )
    alone = run_of(tmp_path / "alone", predictions(), predictions())
    assert "together" not in alone.row
    assert "ensemble UAR [95" not in as_page(compare([alone])) + as_html(compare([alone]))


@pytest.mark.parametrize("left", [(), (0,), (0, 3), (3, 5)])
def test_without_each_seeds_validation_answers_there_is_no_validation_together(
    tmp_path: Path, left: tuple[int, ...]
) -> None:
    found = run_of(tmp_path / "run", predictions(seeds=SEEDS), predictions(seeds=left), unsealed=bool(left))
    assert found.row["together"]["validation_uar"] is None
    page = as_page(compare([found]))
    (line,) = (
        line
        for line in page.split("## Ensembles of")[1].splitlines()
        if line.startswith("| run ") and " | 3 | " in line
    )
    assert line.endswith("|  |"), line


def test_every_format_says_what_seeds_answer_together(run: RunEntry, tmp_path: Path) -> None:
    leaky = run_of(tmp_path / "leaky", predictions(seeds=SEEDS), [], protocol="random", is_speaker_independent=False)
    board = compare([run, leaky])
    both = run.row["together"]
    shown = f"{both['uar']:.1f} [{both['uar_low']:.1f}, {both['uar_high']:.1f}]"
    section = as_page(board).split("## Ensembles of a run's seeds")[1].split("\n## ")[0]
    alone, promised = f"{run.row['uar']:.1f}", f"{both['validation_uar']:.1f}"
    seen = f"{run.row['validation_uar']:.1f}"
    assert f"| run | 3 | {alone} | {shown} | {seen} | {promised} |" in section
    assert "| leaky (shares speakers) | 3 |" in section
    assert all(f">{text}</td>" in as_html(board) for text in (alone, shown, promised))
    cells = next(csv.DictReader(io.StringIO(as_csv(board))))
    assert float(cells["together_uar"]) == both["uar"]
    assert float(cells["together_validation_uar"]) == both["validation_uar"]
    assert json.loads(as_json(board))[0]["together"]["uar"] == both["uar"]
