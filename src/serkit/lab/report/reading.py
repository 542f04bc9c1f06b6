"""A run as a report needs it: what its files say, its predictions as arrays, and the history of each fit."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.errors import RunError
from serkit.lab.leaderboard import recompute
from serkit.lab.measure.pooled_metrics import whole_seeds
from serkit.lab.measure.run_folder import VALIDATED, Fit, Row, read_fits, read_folds, read_json, read_predictions


@dataclass(frozen=True)
class AnswerArrays:
    """Predictions of the seeds that are whole, as arrays.

    Attributes:
        classes: In the order of the model's outputs, C of them.
        seeds: S of them.
        rows: Of the first seed, sorted by utterance, n of them.
        true: Class indices, shape (n,).
        predicted: Shape (S, n).
        probabilities: Shape (S, n, C).
        by_seed: The rows of every seed, sorted alike.
    """

    classes: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    by_seed: tuple[tuple[Row, ...], ...]

    def each(self, name: str) -> NDArray[np.str_]:
        """Return ``speaker``, ``corpus`` or ``fold`` of every utterance, shape (n,)."""
        return np.array([str(getattr(row, name)) for row in self.rows])


@dataclass(frozen=True)
class History:
    """The epochs of one fit.

    Attributes:
        fold: Of the fit.
        seed: Of the fit.
        columns: Column to one value per epoch, NaN where there is none.
        kept: The epoch whose weights were kept; None where nothing says so.
    """

    fold: int
    seed: int
    columns: Mapping[str, NDArray[np.float64]]
    kept: int | None

    @property
    def epochs(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values())))

    def at_kept(self, name: str) -> float:
        """Return the value of a column at the kept epoch; NaN where it is not recorded."""
        values = self.columns.get(name)
        is_there = values is not None and self.kept is not None and 0 <= self.kept < len(values)
        return float(values[self.kept]) if is_there else math.nan  # type: ignore[index]


@dataclass(frozen=True)
class Division:
    """How many speakers and utterances the three parts of a fold have, and what its test side shares with the rest.

    Attributes:
        fold: Its number.
        draw: Of the training side.
        speakers: Of training, validation and test.
        utterances: Likewise; 0 where only speakers are known.
        shared_speakers: Test speakers that are in training or validation.
        shared_utterances: Test utterances that are there.
    """

    fold: int
    draw: int
    speakers: tuple[int, int, int]
    utterances: tuple[int, int, int]
    shared_speakers: frozenset[str]
    shared_utterances: frozenset[str]


@dataclass(frozen=True)
class Run:
    """All that a report says of a run.

    Attributes:
        facts: What ``metrics.json`` knows beforehand: name, protocol, labels and the like.
        numbers: Measured anew from the predictions, in percent; see :func:`serkit.lab.measure.pooled_metrics.measure`.
        answers: The predictions.
        validated: Answers on validation utterances; none where the run did not keep them.
        left_out: Seeds that have not predicted every utterance yet.
        divisions: From ``folds.json``.
        environment: ``env.json``.
        fits: What each fit said of itself.
        histories: Those that are in the folder; of an ensemble one for each member.
    """

    facts: Mapping[str, Any]
    numbers: Mapping[str, Any]
    answers: AnswerArrays
    validated: tuple[Row, ...]
    left_out: tuple[int, ...]
    divisions: tuple[Division, ...]
    environment: Mapping[str, Any]
    fits: tuple[Fit, ...]
    histories: tuple[History, ...]

    @property
    def shared_speakers(self) -> frozenset[str]:
        """Speakers on both sides of a fold, counted from ``folds.json``."""
        return frozenset().union(*(division.shared_speakers for division in self.divisions))

    @property
    def shared_utterances(self) -> frozenset[str]:
        """Utterances on both sides of a fold, counted from ``folds.json``."""
        return frozenset().union(*(division.shared_utterances for division in self.divisions))


def read_run(folder: Path) -> Run:
    """Read a run folder, and measure it anew.

    Raises:
        RunError: If it is not a run folder, holds no predictions, or one of its files is damaged.
    """
    if not folder.is_dir():
        raise RunError(f"{str(folder)!r} is not a run folder: {'it is a file' if folder.exists() else 'not there'}.")
    facts = _read_mapping(folder, "metrics.json")
    numbers = recompute(folder)
    rows, classes = read_predictions(folder)
    answers, left_out = _answers(rows, classes)
    fits = tuple(read_fits(folder))
    return Run(
        facts,
        numbers,
        answers,
        tuple(read_predictions(folder, VALIDATED)[0]),
        left_out,
        _divisions(folder),
        _read_mapping(folder, "env.json"),
        fits,
        _histories(folder, fits),
    )


def _read_mapping(folder: Path, name: str) -> dict[str, Any]:
    content = read_json(folder, name)
    if not isinstance(content, dict):
        raise RunError(f"{str(folder / name)!r} is damaged (it holds no JSON object).")
    return content


def _answers(rows: Sequence[Row], classes: tuple[str, ...]) -> tuple[AnswerArrays, tuple[int, ...]]:
    """Put the predictions of the seeds that :func:`serkit.lab.measure.pooled_metrics.measure` takes into arrays."""
    whole = whole_seeds(rows)
    by_seed = tuple(map(tuple, whole.values()))
    index = {name: i for i, name in enumerate(classes)}
    probabilities = np.array([[r.probabilities for r in one] for one in by_seed])
    answers = AnswerArrays(
        classes,
        tuple(whole),
        by_seed[0],
        np.array([index[r.true] for r in by_seed[0]]),
        np.array([[index[r.predicted] for r in one] for one in by_seed]),
        probabilities,
        by_seed,
    )
    return answers, tuple(sorted({row.seed for row in rows} - whole.keys()))


def _divisions(folder: Path) -> tuple[Division, ...]:
    try:
        return tuple(_division(fold) for fold in read_folds(folder))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{str(folder / 'folds.json')!r} is damaged (not a list of folds with their parts).") from error


def _division(fold: Mapping[str, Any]) -> Division:
    parts = [fold[name] for name in ("train", "validation", "test")]
    speakers, utterances = ([set(part[kind]) for part in parts] for kind in ("speakers", "utterances"))
    return Division(
        int(fold["fold"]),
        int(fold.get("draw", 0)),
        (len(speakers[0]), len(speakers[1]), len(speakers[2])),
        (len(utterances[0]), len(utterances[1]), len(utterances[2])),
        frozenset((speakers[0] | speakers[1]) & speakers[2]),
        frozenset((utterances[0] | utterances[1]) & utterances[2]),
    )


def _histories(folder: Path, fits: Sequence[Fit]) -> tuple[History, ...]:
    kept = {(fit.fold, fit.seed): fit for fit in fits}
    found = []
    for path in folder.glob("fold_*/seed_*/**/history.csv"):
        place = re.fullmatch(r"fold_(\d+)/seed_(\d+)(?:/member_(\d+))?", path.parent.relative_to(folder).as_posix())
        if not place:
            continue
        fold, seed, member = int(place[1]), int(place[2]), int(place[3] or 0)
        fit = kept.get((fold, seed))
        if fit is None:  # it is still being fitted
            continue
        best: Any = fit.kept if place[3] is None else None
        if place[3] is not None and member < len(fit.members):
            best = fit.members[member].get("kept")
        found.append((fold, seed, member, History(fold, seed, _read_history(path), best)))
    return tuple(history for *_, history in sorted(found, key=lambda one: one[:3]))


def _read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            head = next(reader, [])
            table = [[float(cell) if cell else math.nan for cell in cells] for cells in reader]
    except (ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error
    if not head or not table or any(len(cells) != len(head) for cells in table):
        raise RunError(f"{str(path)!r} is damaged: expected one row of numbers for each epoch.")
    return {name: np.array(values) for name, values in zip(head, zip(*table, strict=True), strict=True)}
