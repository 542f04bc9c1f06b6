"""Everything that a report needs of a run folder: metrics, predictions as arrays, folds, and training histories."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.errors import RunError
from serkit.lab.measure.calibration import recovered
from serkit.lab.measure.calibration_transfer import Transfer, known_temperatures, measure_transfer
from serkit.lab.measure.intervals import Interval, bootstrap_interval
from serkit.lab.measure.metrics import macro_f1, weighted_accuracy
from serkit.lab.measure.run_entry import measure_records
from serkit.lab.measure.run_folder import Fit, Row
from serkit.lab.measure.run_records import read_records
from serkit.lab.measure.seeds import whole_seeds

_INTERVALS = {"wa": weighted_accuracy, "macro_f1": macro_f1}


@dataclass(frozen=True)
class AnswerArrays:
    """Predictions of the complete seeds as arrays. n utterances, S seeds, C classes.

    Attributes:
        classes: Class names, in the order of the model's outputs.
        seeds: Complete seeds.
        rows: Predictions of the first seed, sorted by utterance.
        true: Class indices, shape (n,).
        predicted: Class indices, shape (S, n).
        probabilities: Shape (S, n, C).
        by_seed: Predictions of each seed, in the order of ``rows``.
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
    """Training and validation metrics of one fit by epoch.

    Attributes:
        fold: Fold of the fit.
        seed: Seed of the fit.
        columns: Values by epoch of each column, NaN if missing.
        kept: Epoch whose weights were kept, counted from 0; None if it was not recorded.
    """

    fold: int
    seed: int
    columns: Mapping[str, NDArray[np.float64]]
    kept: int | None

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return len(next(iter(self.columns.values())))

    def at_kept(self, name: str) -> float:
        """Return the value of a column at the kept epoch; NaN if it was not recorded."""
        values = self.columns.get(name)
        is_there = values is not None and self.kept is not None and 0 <= self.kept < len(values)
        return float(values[self.kept]) if is_there else math.nan  # type: ignore[index]


@dataclass(frozen=True)
class Division:
    """The sizes of the training, validation and test parts of one fold, and what the test part shares with the others.

    Attributes:
        fold: Number of the fold.
        draw: Number of the training draw; 0 unless the protocol draws training speakers several times.
        speakers: Number of training, validation and test speakers.
        utterances: Number of training, validation and test utterances; 0 if only speakers are known.
        shared_speakers: Test speakers that are also in training or validation.
        shared_utterances: Test utterances that are also in training or validation.
    """

    fold: int
    draw: int
    speakers: tuple[int, int, int]
    utterances: tuple[int, int, int]
    shared_speakers: frozenset[str]
    shared_utterances: frozenset[str]


@dataclass(frozen=True)
class RunContents:
    """The contents of a run folder that a report shows. Metrics and intervals are computed once.

    Attributes:
        folder: Run folder.
        facts: Content of ``metrics.json``, of which a report uses the facts: name, protocol, labels and so on.
        numbers: Metrics recomputed from the predictions, in percent; see
            :func:`serkit.lab.measure.run_entry.measure_records`.
        answers: Predictions of the complete seeds.
        tested: Predictions on test utterances.
        validated: Predictions on validation utterances; empty if the run did not store them.
        left_out: Seeds that have not predicted every utterance yet.
        divisions: Folds in ``folds.json``.
        environment: Content of ``env.json``.
        fits: Record of each fit in ``metrics.json``.
        histories: Training histories in the folder; one per member for an ensemble.
    """

    folder: Path
    facts: Mapping[str, Any]
    numbers: Mapping[str, Any]
    answers: AnswerArrays
    tested: tuple[Row, ...]
    validated: tuple[Row, ...]
    left_out: tuple[int, ...]
    divisions: tuple[Division, ...]
    environment: Mapping[str, Any]
    fits: tuple[Fit, ...]
    histories: tuple[History, ...]

    @property
    def shared_speakers(self) -> frozenset[str]:
        """Speakers that ``folds.json`` has on both sides of a fold."""
        return frozenset().union(*(division.shared_speakers for division in self.divisions))

    @property
    def shared_utterances(self) -> frozenset[str]:
        """Utterances that ``folds.json`` has on both sides of a fold."""
        return frozenset().union(*(division.shared_utterances for division in self.divisions))

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """95 % intervals of ``wa`` and ``macro_f1``, 0 to 1; that of UAR is in ``numbers``."""
        answers = self.answers
        speakers, classes = answers.each("speaker"), len(answers.classes)
        return {
            name: bootstrap_interval(answers.true, answers.predicted, speakers, classes, metric=metric)
            for name, metric in _INTERVALS.items()
        }

    @cached_property
    def transfer(self) -> Transfer:
        """How the calibration on each fold's validation speakers does on its test speakers."""
        tested = [row for rows in self.answers.by_seed for row in rows]
        return measure_transfer(tested, self.validated, self.answers.classes, known_temperatures(self.fits))

    @cached_property
    def before_temperature(self) -> AnswerArrays | None:
        """Predictions before temperature scaling; None if they cannot be recovered, or all temperatures are 1."""
        temperatures, answers = known_temperatures(self.fits), self.answers
        keys = [[(row.fold, row.seed) for row in rows] for rows in answers.by_seed]
        if not all(key in temperatures for one in keys for key in one):
            return None
        powers = np.array([[temperatures[key] for key in one] for one in keys])  # (S, n)
        if (powers == 1).all():
            return None
        flat = answers.probabilities.reshape(-1, len(answers.classes))
        found = recovered(flat, np.tile(answers.true, len(answers.seeds)), powers.ravel())
        return None if found is None else replace(answers, probabilities=found.reshape(answers.probabilities.shape))


def read_run(folder: Path, *, unsealed: bool = False) -> RunContents:
    """Read a run folder and recompute its metrics.

    Args:
        folder: Run folder.
        unsealed: Whether to read a run that was edited, contradicts itself, or has no seal. The report says so.

    Raises:
        RunError: If it is not a run folder, holds no predictions, one of its files is damaged, or it does not agree
            with its seal or with itself.
    """
    records = read_records(folder, unsealed=unsealed)
    answers, left_out = _answers(records.tested, records.classes)
    fits = tuple(records.fits)
    return RunContents(
        folder,
        records.facts,
        measure_records(records),
        answers,
        tuple(records.tested),
        tuple(records.validated),
        left_out,
        tuple(map(_division, records.folds)),
        records.environment,
        fits,
        _histories(folder, fits),
    )


def _answers(rows: Sequence[Row], classes: tuple[str, ...]) -> tuple[AnswerArrays, tuple[int, ...]]:
    """Return the predictions of the complete seeds as arrays, and the seeds that are left out."""
    whole = whole_seeds(rows)
    by_seed = tuple(map(tuple, whole.values()))
    index = {name: i for i, name in enumerate(classes)}
    answers = AnswerArrays(
        classes,
        tuple(whole),
        by_seed[0],
        np.array([index[r.true] for r in by_seed[0]]),
        np.array([[index[r.predicted] for r in one] for one in by_seed]),
        np.array([[r.probabilities for r in one] for one in by_seed]),
        by_seed,
    )
    return answers, tuple(sorted({row.seed for row in rows} - whole.keys()))


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
        if fit is None:  # this fit is not finished
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
