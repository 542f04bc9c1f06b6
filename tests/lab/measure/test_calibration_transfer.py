import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serkit.errors import RunError
from serkit.lab.measure.calibration import arrays_of, uncalibrated
from serkit.lab.measure.calibration_transfer import Transfer, known_temperatures, measure_transfer, read_transfer
from serkit.lab.measure.metrics import brier_score, expected_calibration_error
from serkit.lab.measure.run_folder import VALIDATED, Fit, Row, write_predictions
from support.run_folders import CLASSES, predictions, write_run
from support.sealed_runs import settle

FIT = Fit(0, 0, 1, 2, 60.0, 1.5, 1.0)


def row(fold: int, number: int, sure: float, *, is_right: bool = True, seed: int = 0) -> Row:
    """Return an answer 'anger' with a confidence; the rest is shared."""
    rest = (1 - sure) / 2
    name = f"toy/{fold}-{number}"
    return Row(name, "toy", f"toy/{fold}", fold, seed, "anger" if is_right else "fear", "anger", (sure, rest, rest))


def many(fold: int, sure: float, count: int, wrong: int = 0, *, seed: int = 0, first: int = 0) -> list[Row]:
    return [row(fold, first + i, sure, is_right=i >= wrong, seed=seed) for i in range(count)]


def measured(tested: list[Row], validated: list[Row], *, error_rate: float = 0.25) -> Transfer:
    return measure_transfer(tested, validated, CLASSES, {}, error_rate=error_rate)


def test_each_fold_has_the_threshold_of_its_own_validation() -> None:
    """Fold 0 may answer from 0.9 on and fold 1 always; together they would have another threshold."""
    validated = [*many(0, 0.9, 10), *many(0, 0.6, 10, 9, first=10), *many(1, 0.9, 10), *many(1, 0.6, 10, first=10)]
    tested = [*many(0, 0.9, 4, 1), *many(0, 0.6, 4, first=4), *many(1, 0.6, 8, 3)]
    found = measured(tested, validated).selection
    assert found is not None
    assert found.coverage == 12 / 16
    assert found.error == 4 / 12


def test_a_fold_without_a_threshold_answers_nothing() -> None:
    validated, tested = many(0, 0.9, 10, 9), many(0, 0.9, 5)
    found = measured(tested, validated).selection
    assert found is not None
    assert found.coverage == 0
    assert math.isnan(found.error)


def test_sets_are_those_of_each_folds_validation() -> None:
    """Fold 0 needs a probability of 0.9, fold 1 one of 0.1, which all three classes have."""
    validated = [*many(0, 0.9, 20), *many(1, 0.8, 20, 20)]
    tested = [*many(0, 0.95, 5, 1), *many(1, 0.8, 5, 5)]
    found = measured(tested, validated).sets
    assert found[0.8].coverage == found[0.9].coverage == 9 / 10
    assert found[0.8].size == (5 * 1 + 5 * 3) / 10


def test_too_few_validation_answers_put_every_class_into_a_set() -> None:
    found = measured(many(0, 0.9, 5, 5), many(0, 0.9, 5)).sets
    assert (found[0.8].coverage, found[0.8].size) == (0, 1)
    assert (found[0.9].coverage, found[0.9].size) == (1, 3)


def test_without_the_validation_answers_of_every_fit_there_is_neither_threshold_nor_sets() -> None:
    found = measured([*many(0, 0.9, 5), *many(1, 0.9, 5)], many(0, 0.9, 20))
    assert (found.selection, found.sets) == (None, {})
    assert found.after.brier == pytest.approx(0.1**2 + 2 * 0.05**2)


def test_scores_are_means_over_seeds_of_pooled_folds_before_and_after_the_temperature() -> None:
    rows = predictions(seeds=(0, 1))
    temperatures = {(r.fold, r.seed): 1.1 + 0.1 * r.fold + 0.3 * r.seed for r in rows}
    found = measure_transfer(rows, [], CLASSES, temperatures)
    eces, briers = [], []
    for seed in (0, 1):
        own = [r for r in rows if r.seed == seed]
        probabilities, true = arrays_of(own, CLASSES)
        raised = uncalibrated(probabilities, np.array([temperatures[r.fold, seed] for r in own]))
        eces.append([expected_calibration_error(p, true) for p in (raised, probabilities)])
        briers.append([brier_score(p, true) for p in (raised, probabilities)])
    assert found.before is not None
    assert (found.before.ece, found.after.ece) == pytest.approx(np.mean(eces, 0))
    assert (found.before.brier, found.after.brier) == pytest.approx(np.mean(briers, 0))


def test_the_temperature_of_an_ensemble_or_without_validation_is_not_known() -> None:
    assert known_temperatures([FIT, replace(FIT, fold=1, temperature=0.8)]) == {(0, 0): 1.5, (1, 0): 0.8}
    assert known_temperatures([FIT, replace(FIT, fold=1, temperature=1.0, members=[{"temperature": 2.0}])]) == {}
    assert known_temperatures([replace(FIT, validation_uar=None, temperature=1.0)]) == {}
    assert known_temperatures([]) == {}


def test_a_folder_without_predictions_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no predictions\.$"):
        read_transfer(write_run(tmp_path, [], protocol="all_speakers"))


def test_a_run_folder_is_measured_from_its_files(tmp_path: Path) -> None:
    rows = predictions()
    folder = write_run(tmp_path, rows)
    assert read_transfer(folder).selection is None
    validated = [replace(r, fold=(r.fold + 1) % 7) for r in rows]
    write_predictions(folder, validated, CLASSES, VALIDATED)
    settle(folder)
    found, stored = read_transfer(folder), [replace(r, probabilities=tuple(np.round(r.probabilities, 4))) for r in rows]
    shifted = [replace(r, fold=(r.fold + 1) % 7) for r in stored]
    expected = measure_transfer(stored, shifted, CLASSES, {(k, 0): 1.0 for k in range(7)})
    assert found.selection == expected.selection
    assert found.sets == expected.sets
    assert found.after == expected.after
    strict = read_transfer(folder, error_rate=0.05)
    assert strict.selection is not None
    assert expected.selection is not None
    assert strict.selection.coverage < expected.selection.coverage
