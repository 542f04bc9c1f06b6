"""How what was fitted on validation speakers does on test speakers: temperature, threshold and sets of classes.

Each fold's threshold and sets come from the answers on its own validation speakers, and meet the fold's test answers.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serkit.errors import RunError
from serkit.lab.measure.calibration import (
    ERROR_RATE,
    Probabilities,
    arrays_of,
    choose_threshold,
    conformal_sets,
    conformal_threshold,
    recovered,
    right_of,
)
from serkit.lab.measure.metrics import IntArray, brier_score, expected_calibration_error
from serkit.lab.measure.run_folder import VALIDATED, Fit, Row, read_fits, read_predictions

COVERAGES = (0.8, 0.9)  # of the sets in a table

Key = tuple[int, int]  # fold and seed


@dataclass(frozen=True)
class Scores:
    """Of probabilities: the expected calibration error, 0 to 1, and the Brier score, 0 to 2."""

    ece: float
    brier: float


@dataclass(frozen=True)
class Selection:
    """Test answers that reach their fold's threshold: their share, and that of wrong ones among them (NaN of none)."""

    coverage: float
    error: float


@dataclass(frozen=True)
class Sets:
    """Sets of classes: the share that holds the true class, and how many classes a set has on average."""

    coverage: float
    size: float


@dataclass(frozen=True)
class Transfer:
    """What validation promised, on test answers; folds pooled, mean over seeds.

    Attributes:
        before: The temperature; None where it is not known: of a vote, without validation, of a finished model,
            or where the stored decimals do not tell what there was before it.
        after: The temperature.
        selection: By the threshold; None where validation answers were not kept.
        sets: By the coverage that was asked for; empty where validation answers were not kept.
    """

    before: Scores | None
    after: Scores
    selection: Selection | None
    sets: Mapping[float, Sets]


def read_transfer(run: str | os.PathLike[str], *, error_rate: float = ERROR_RATE) -> Transfer:
    """Measure a run folder's test answers, see :func:`measure_transfer`.

    Raises:
        RunError: If it holds no predictions, or one of its files is damaged.
    """
    folder = Path(run)
    tested, classes = read_predictions(folder)
    if not tested:
        raise RunError(f"{str(run)!r} holds no predictions.")
    validated, _ = read_predictions(folder, VALIDATED)
    fits = read_fits(folder)
    return measure_transfer(tested, validated, classes, known_temperatures(fits), error_rate=error_rate)


def known_temperatures(fits: Sequence[Fit]) -> dict[Key, float]:
    """Return each fit's temperature; nothing where one has none: some do not validate, and older ensembles had none."""
    if any((fit.members and fit.temperature == 1) or fit.validation_uar is None for fit in fits):
        return {}
    return {(fit.fold, fit.seed): fit.temperature for fit in fits}


def measure_transfer(
    tested: Sequence[Row],
    validated: Sequence[Row],
    classes: Sequence[str],
    temperatures: Mapping[Key, float],
    *,
    error_rate: float = ERROR_RATE,
) -> Transfer:
    """Apply what each fold's validation answers give to its test answers.

    A fold in which no threshold leaves few enough wrong answers answers nothing; one with too few validation answers
    for a coverage puts every class into its sets.

    Args:
        tested: All test answers, of seeds that are whole, at least one.
        validated: All validation answers.
        classes: In order.
        temperatures: From :func:`known_temperatures`.
        error_rate: That the thresholds shall keep to, 0 to 1.
    """
    probabilities, true = arrays_of(tested, classes)
    keys = [(row.fold, row.seed) for row in tested]
    seeds = np.array([row.seed for row in tested])
    before = None
    if set(keys) <= temperatures.keys():
        raised = recovered(probabilities, true, np.array([temperatures[key] for key in keys]))
        before = None if raised is None else _scores(raised, true, seeds)
    after = _scores(probabilities, true, seeds)
    if not set(keys) <= {(row.fold, row.seed) for row in validated}:
        return Transfer(before, after, None, {})
    selection = _select(tested, validated, classes, error_rate)
    return Transfer(before, after, selection, {c: _sets(tested, validated, classes, c) for c in COVERAGES})


def _scores(probabilities: Probabilities, true: IntArray, seeds: IntArray) -> Scores:
    parts = [(probabilities[seeds == seed], true[seeds == seed]) for seed in sorted(set(seeds.tolist()))]
    eces, briers = ([measure(*part) for part in parts] for measure in (expected_calibration_error, brier_score))
    return Scores(float(np.mean(eces)), float(np.mean(briers)))


def _select(tested: Sequence[Row], validated: Sequence[Row], classes: Sequence[str], error_rate: float) -> Selection:
    answered, wrong = 0, 0
    for test, validation in _folds(tested, validated):
        confidence = arrays_of(validation, classes)[0].max(1)
        threshold = choose_threshold(confidence, right_of(validation), error_rate)
        if threshold is not None:
            stands = arrays_of(test, classes)[0].max(1) >= threshold
            answered += int(stands.sum())
            wrong += int((stands & ~right_of(test)).sum())
    return Selection(answered / len(tested), wrong / answered if answered else float("nan"))


def _sets(tested: Sequence[Row], validated: Sequence[Row], classes: Sequence[str], coverage: float) -> Sets:
    holds, size = 0, 0
    for test, validation in _folds(tested, validated):
        seen, truth = arrays_of(validation, classes)
        probabilities, true = arrays_of(test, classes)
        threshold = conformal_threshold(seen[np.arange(len(truth)), truth], coverage)
        sets = conformal_sets(probabilities, threshold)
        holds += int(sets[np.arange(len(true)), true].sum())
        size += int(sets.sum())
    return Sets(holds / len(tested), size / len(tested))


def _folds(tested: Sequence[Row], validated: Sequence[Row]) -> list[tuple[list[Row], list[Row]]]:
    """Return the test and validation answers of each fold and seed."""
    found: dict[Key, tuple[list[Row], list[Row]]] = {(row.fold, row.seed): ([], []) for row in tested}
    for side, rows in enumerate((tested, validated)):
        for row in rows:
            if (row.fold, row.seed) in found:
                found[row.fold, row.seed][side].append(row)
    return list(found.values())
