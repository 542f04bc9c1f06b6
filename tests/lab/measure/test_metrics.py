import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as oracle

from serkit.lab.measure.intervals import bootstrap_interval
from serkit.lab.measure.metrics import (
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    uar,
    uar_of_each,
    weighted_accuracy,
)

CLASSES = 5
answers = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60).map(
    lambda pairs: np.array(pairs).T
)  # reference and prediction, shape (2, n)


def counts(reference: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    return confusion_matrix(reference, predicted, CLASSES)


def draw(
    speakers: int, *, each: int = 40, skills: tuple[float, ...] = (0.6,), seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.str_]]:
    """Return reference (n,), predictions (1, n) and speakers (n,); a speaker's skill is the share of right answers."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, CLASSES, speakers * each)
    share = np.repeat([skills[i % len(skills)] for i in range(speakers)], each)
    predicted = np.where(rng.random(len(true)) < share, true, rng.integers(0, CLASSES, len(true)))
    return true, predicted[None], np.repeat([f"toy/{i:02d}" for i in range(speakers)], each)


# Against scikit-learn, to 1e-12


@given(answers)
def test_the_confusion_matrix_is_that_of_scikit_learn(pairs: Any) -> None:
    assert (counts(*pairs) == oracle.confusion_matrix(*pairs, labels=range(CLASSES))).all()


@given(answers)
def test_uar_is_balanced_accuracy(pairs: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn remarks on predicted classes that the reference lacks
        expected = oracle.balanced_accuracy_score(*pairs)
    assert uar(counts(*pairs)) == pytest.approx(expected, abs=1e-12)


@given(answers)
def test_weighted_accuracy_is_the_share_of_right_answers(pairs: Any) -> None:
    assert weighted_accuracy(counts(*pairs)) == pytest.approx(oracle.accuracy_score(*pairs), abs=1e-12)


@given(answers)
def test_macro_f1_averages_over_the_classes_of_the_reference(pairs: Any) -> None:
    expected = oracle.f1_score(*pairs, labels=np.unique(pairs[0]), average="macro", zero_division=0)
    assert macro_f1(counts(*pairs)) == pytest.approx(expected, abs=1e-12)


def test_a_class_that_is_only_predicted_does_not_count_in_uar() -> None:
    true, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    assert uar(counts(true, predicted)) == pytest.approx(0.75)
    assert oracle.recall_score(true, predicted, average="macro", zero_division=0) == pytest.approx(0.5), "the other way"


def test_nothing_is_measured_on_nothing() -> None:
    empty = np.zeros((CLASSES, CLASSES), np.int64)
    assert np.isnan([uar(empty), weighted_accuracy(empty), macro_f1(empty)]).all()
    assert np.isnan(expected_calibration_error(np.empty((0, CLASSES)), np.empty(0, np.int64)))


@pytest.mark.parametrize("classes", [2, 5, 8, 17])
def test_uar_of_many_matrices_is_that_of_each_to_the_bit(classes: int) -> None:
    """Intervals are the same whichever way they are computed; a class, or all, may be absent."""
    matrices = np.random.default_rng(0).integers(0, 30, (60, 2, classes, classes))
    matrices[::3, 0, 1], matrices[5] = 0, 0
    assert np.array_equal(uar_of_each(matrices), [[uar(one) for one in row] for row in matrices], equal_nan=True)


# Calibration


@pytest.mark.parametrize(
    ("probabilities", "true", "expected"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], [0, 1], 0.0),  # sure and right
        ([[1.0, 0.0], [0.0, 1.0]], [1, 0], 1.0),  # sure and wrong
        ([[0.75, 0.25]] * 4, [0, 0, 0, 1], 0.0),  # right as often as it says
        ([[0.75, 0.25]] * 4, [1, 1, 1, 1], 0.75),
        ([[0.95, 0.05]] * 2 + [[0.55, 0.45]] * 2, [0, 1, 0, 0], (0.45 + 0.45) / 2),  # too sure, and not enough
    ],
)
def test_calibration_error_is_the_gap_between_confidence_and_accuracy(
    probabilities: list[list[float]], true: list[int], expected: float
) -> None:
    error = expected_calibration_error(np.array(probabilities), np.array(true))
    assert error == pytest.approx(expected, abs=1e-12)


def test_calibration_error_is_per_bin() -> None:
    """Two gaps of opposite sign cancel where they share a bin."""
    probabilities, true = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([1, 0])
    assert expected_calibration_error(probabilities, true, bins=1) == pytest.approx(0.25)
    assert expected_calibration_error(probabilities, true, bins=10) == pytest.approx(0.65)


# The interval


@pytest.mark.parametrize("speakers", [2, 10])
@pytest.mark.parametrize("seed", range(3))
def test_the_interval_contains_the_estimate(speakers: int, seed: int) -> None:
    true, predicted, names = draw(speakers, seed=seed)
    interval = bootstrap_interval(true, predicted, names, CLASSES, draws=400)
    assert interval.low < uar(counts(true, predicted[0])) < interval.high


@pytest.mark.parametrize(
    ("speakers", "over"), [(1, "utterances within speakers"), (5, "utterances within speakers"), (6, "speakers")]
)
def test_six_speakers_are_needed_to_resample_speakers(speakers: int, over: str) -> None:
    assert bootstrap_interval(*draw(speakers), CLASSES, draws=20).over == over


def test_the_interval_is_wider_where_speakers_differ() -> None:
    def width(*skills: float) -> float:
        interval = bootstrap_interval(*draw(12, skills=skills), CLASSES, draws=500)
        return interval.high - interval.low

    assert width(0.2, 1.0) > 2 * width(0.6, 0.6)


def test_with_few_speakers_their_difference_does_not_show() -> None:
    """What the interval's own remark says: it tells nothing about new speakers."""

    def width(*skills: float) -> float:
        interval = bootstrap_interval(*draw(4, each=100, skills=skills), CLASSES, draws=500)
        return interval.high - interval.low

    assert width(0.2, 1.0) < 1.1 * width(0.6, 0.6)


@pytest.mark.parametrize("speakers", [3, 8])
def test_the_interval_is_the_same_for_the_same_seed(speakers: int) -> None:
    data = draw(speakers)
    first = bootstrap_interval(*data, CLASSES, draws=100, seed=1)
    assert bootstrap_interval(*data, CLASSES, draws=100, seed=1) == first
    assert bootstrap_interval(*data, CLASSES, draws=100, seed=2) != first


def test_the_metric_is_averaged_over_seeds() -> None:
    """One seed all right and one all wrong: every resample gives one half."""
    true, _, speakers = draw(8)
    predicted = np.stack([true, (true + 1) % CLASSES])
    interval = bootstrap_interval(true, predicted, speakers, CLASSES, metric=weighted_accuracy, draws=50)
    assert (interval.low, interval.high) == (0.5, 0.5)


def test_the_interval_over_speakers_is_that_of_a_plain_bootstrap_with_wider_tails() -> None:
    """Drawing speakers by their counts is drawing them one by one, to within 0.02."""
    true, predicted, speakers = draw(9, skills=(0.3, 0.6, 0.9))
    rng, names = np.random.default_rng(7), np.unique(speakers)
    values = []
    for _ in range(2000):
        drawn = np.concatenate([np.flatnonzero(speakers == name) for name in rng.choice(names, len(names))])
        values.append(uar(counts(true[drawn], predicted[0][drawn])))
    interval = bootstrap_interval(true, predicted, speakers, CLASSES)
    tail = stats.norm.cdf(-np.sqrt(9 / 8) * stats.t.ppf(0.975, 8))  # Hesterberg 2015
    assert tail < 0.01
    assert [interval.low, interval.high] == pytest.approx(np.quantile(values, [tail, 1 - tail]), abs=0.02)
