from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serkit.lab.leaderboard import RunEntry, as_page, compare, read_entry
from serkit.lab.leaderboard.calibration_section import HEAD, calibration_lines, calibration_note, cells_of
from serkit.lab.measure.run_folder import VALIDATED, read_json, read_predictions, write_json, write_predictions
from support.leaderboard_runs import entry
from support.run_folders import CLASSES
from support.sealed_runs import reseal, rotated, settle

pytestmark = pytest.mark.usefixtures("quick_bootstrap")


def validated(
    folder: Path, *, seen: float, temperature: float = 1.0, is_ensemble: bool = False, **more: Any
) -> RunEntry:
    """Write a run that validated each fold on the clips of the next, and read it."""
    entry(folder, seen=seen, **more)
    rows = read_predictions(folder)[0]
    folds = 1 + max(row.fold for row in rows)
    write_predictions(folder, [replace(r, fold=(r.fold - 1) % folds) for r in rows], CLASSES, VALIDATED)
    settle(folder)
    stored = read_json(folder, "metrics.json")
    change = {"temperature": temperature} | ({"members": [{}]} if is_ensemble else {})
    write_json(folder, "metrics.json", stored | {"fits": [fit | change for fit in stored["fits"]]})
    found = read_entry(reseal(folder))
    found.row["validation_uar"] = seen
    return found


def names(entries: list[RunEntry]) -> list[str]:
    return [line.entry.name for line in calibration_lines(compare(entries))]


def test_the_headline_is_shown_and_what_else_tells_of_a_temperature(tmp_path: Path) -> None:
    best, second = validated(tmp_path / "best", seen=70.0), validated(tmp_path / "second", seen=60.0, lr=1e-3)
    assert names([best, second]) == ["best"]
    vote = validated(tmp_path / "vote", seen=80.0, is_ensemble=True, lr=3e-3)
    other = validated(tmp_path / "other", seen=75.0, is_ensemble=True, lr=4e-3)
    assert names([best, second, vote, other]) == ["vote", "best"]


def test_every_run_on_another_corpus_is_shown_and_none_that_shares_speakers(tmp_path: Path) -> None:
    across: dict[str, Any] = {"protocol": "cross_corpus", "train_corpora": ["a"], "test_corpora": ["b"]}
    runs = [
        validated(tmp_path / "one", seen=70.0, **across),
        validated(tmp_path / "two", seen=60.0, lr=1e-3, **across),
        entry(tmp_path / "unseen", seen=None, protocol="unseen_corpus"),
        validated(tmp_path / "leaky", seen=90.0, protocol="random", is_speaker_independent=False),
        validated(tmp_path / "leakier", seen=95.0, lr=1e-3, protocol="random", is_speaker_independent=False),
    ]
    lines = calibration_lines(compare(runs))
    assert [line.entry.name for line in lines] == ["one", "two", "unseen"]
    assert [line.tested_on for line in lines] == ["unseen corpus"] * 3


def test_a_row_has_the_numbers_of_its_run(tmp_path: Path) -> None:
    """Four in five of these answers are right and all are 71.2 % sure, on test and validation alike."""
    run = validated(tmp_path / "run", seen=70.0)
    other = validated(tmp_path / "other", seen=60.0, lr=1e-3)
    (line,) = calibration_lines(compare([run, other]))
    cells = dict(zip(HEAD, cells_of(line), strict=True))
    assert cells["tested on"] == "new speakers"
    assert cells["ECE"] == cells["ECE before"] == f"{run.row['ece']:.1f}"
    assert cells["error"] == f"{100 - run.row['wa']:.1f}"
    assert cells["answered at 25 % error"] == "100.0"
    assert cells["80 % prediction sets"].endswith(")")


def test_what_is_not_known_is_an_empty_cell(tmp_path: Path) -> None:
    run = entry(tmp_path / "unseen", seen=None, protocol="unseen_corpus")
    write_json(run.folder, "metrics.json", read_json(run.folder, "metrics.json") | {"fits": []})
    (line,) = calibration_lines(compare([read_entry(reseal(run.folder))]))
    cells = cells_of(line)
    assert len(cells) == len(HEAD)
    assert [name for name, cell in zip(HEAD, cells, strict=True) if cell] == ["run", "tested on", "ECE", "Brier"]


def test_the_words_are_of_the_rows(tmp_path: Path) -> None:
    across: dict[str, Any] = {"protocol": "cross_corpus", "train_corpora": ["a"], "test_corpora": ["b"]}
    far = validated(tmp_path / "far", seen=70.0, **across)
    wrong = [
        replace(row, true="fear", predicted="anger", probabilities=(0.98, 0.01, 0.01))
        for row in read_predictions(far.folder)[0]
    ]
    write_predictions(far.folder, wrong, CLASSES)
    there = [replace(row, true="fear", probabilities=(0.2, 0.7, 0.1), predicted="fear") for row in wrong]
    write_predictions(far.folder, rotated(there), CLASSES, VALIDATED)
    settle(far.folder)
    near, second = validated(tmp_path / "near", seen=70.0), validated(tmp_path / "second", seen=60.0, lr=1e-3)
    words = calibration_note(calibration_lines(compare([near, second, read_entry(far.folder)])))
    said = words.splitlines()[-1]
    assert said.startswith("On new speakers, temperature scaling lowers the calibration error of 0 of 1 runs; at a")
    assert "On an unseen corpus" in said
    assert said.endswith("So neither the threshold nor the prediction sets hold on a corpus that is not in training.")
    only = calibration_note(calibration_lines(compare([near, second])))
    assert "unseen corpus" not in only.splitlines()[-1]


def test_the_page_has_the_section_where_there_is_a_run_for_it(tmp_path: Path) -> None:
    run, other = validated(tmp_path / "run", seen=70.0), validated(tmp_path / "other", seen=60.0, lr=1e-3)
    page = as_page(compare([run, other]))
    section = page.split("## Calibration")[1].split("\n## ")[0]
    assert section.count("\n| run | new speakers |") == 1
    assert "## Calibration" not in as_page(compare([run]))
