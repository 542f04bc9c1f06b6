"""Measures on test speakers what was fitted on validation speakers: temperature, threshold and prediction sets.

The thresholds of a fold are fitted on its validation predictions and applied to its test predictions.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from serkit.lab.measure.run_folder import Fit, Row
from serkit.lab.measure.run_records import check_run

COVERAGES = (0.8, 0.9)  # coverages of the prediction sets in a table

Key = tuple[int, int]  # fold and seed


@dataclass(frozen=True)
class Scores:
    """Calibration scores of probabilities: the expected calibration error, 0 to 1, and the Brier score, 0 to 2."""

    ece: float
    brier: float


@dataclass(frozen=True)
class Selection:
    """Effect of the thresholds for "uncertain" on test predictions.

    Attributes:
        coverage: Share of test predictions that reach the threshold of their fold.
        error: Share of wrong predictions among these; NaN if there are none.
    """

    coverage: float
    error: float


@dataclass(frozen=True)
class Sets:
    """Prediction sets: the share that holds the true class, and the mean number of classes in a set."""

    coverage: float
    size: float


@dataclass(frozen=True)
class Transfer:
    """Calibration on test predictions; folds pooled, mean over seeds.

    Attributes:
        before: Scores without the temperature. None if they are not known: for a vote, a run without validation, a
            finished model, or if the stored decimals do not determine them.
        after: Scores with the temperature.
        selection: Effect of the thresholds; None if the run stored no validation predictions.
        sets: Prediction sets by requested coverage; empty if the run stored no validation predictions.
    """

    before: Scores | None
    after: Scores
    selection: Selection | None
    sets: Mapping[float, Sets]


def read_transfer(run: str | os.PathLike[str], *, error_rate: float = ERROR_RATE, unsealed: bool = False) -> Transfer:
    """Measure the calibration of a run on its test predictions, see :func:`measure_transfer`.

    Args:
        run: Run folder.
        error_rate: Error rate that the thresholds keep to on validation, 0 to 1.
        unsealed: Whether to measure a run that was edited, contradicts itself, or has no seal.

    Raises:
        RunError: If the folder holds no predictions, one of its files is damaged, or it does not agree with its seal or
            with itself.
    """
    found = check_run(run, unsealed=unsealed)
    if not found.tested:
        raise RunError(f"{str(run)!r} holds no predictions.")
    temperatures = known_temperatures(found.fits)
    return measure_transfer(found.tested, found.validated, found.classes, temperatures, error_rate=error_rate)


def known_temperatures(fits: Sequence[Fit]) -> dict[Key, float]:
    """Return the temperature of each fit; empty unless every fit has one.

    Fits without validation have none, nor have older ensembles.
    """
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
    """Apply the thresholds fitted on each fold's validation predictions to its test predictions.

    A fold in which no threshold keeps to the error rate answers "uncertain" throughout. A fold with too few validation
    predictions for a coverage puts every class into its sets.

    Args:
        tested: Test predictions of complete seeds, at least one.
        validated: Validation predictions.
        classes: Class names, in the order of the probabilities.
        temperatures: Temperatures from :func:`known_temperatures`.
        error_rate: Error rate that the thresholds keep to on validation, 0 to 1.
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
    """Return the test and validation predictions of each fold and seed."""
    found: dict[Key, tuple[list[Row], list[Row]]] = {(row.fold, row.seed): ([], []) for row in tested}
    for side, rows in enumerate((tested, validated)):
        for row in rows:
            if (row.fold, row.seed) in found:
                found[row.fold, row.seed][side].append(row)
    return list(found.values())
