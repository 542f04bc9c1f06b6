import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn import metrics as oracle

from serkit.lab.measure.calibration import (
    COVERAGES,
    MIN_COVERAGE,
    arrays_of,
    choose_threshold,
    conformal_sets,
    conformal_threshold,
    describe_calibration,
    recovered,
    right_of,
    risk_coverage,
    uncalibrated,
)
from serkit.lab.measure.metrics import brier_score, expected_calibration_error
from serkit.lab.measure.run_folder import Row

Floats = NDArray[np.float64]
CLASSES = ("anger", "fear", "calm")
KEYS = {
    "speakers", "utterances", "ece_before", "ece_after", "brier_before", "brier_after", "error_rate", "threshold",
    "coverage", "error", "conformal",
}  # fmt: skip


def softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    found: Floats = raised / raised.sum(1, keepdims=True)
    return found


def logits_of(size: int, *, scale: float = 1.0, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Return logits (size, 7) of a model that is right most of the time, and the true classes."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 7, size)
    logits = rng.normal(size=(size, 7))
    logits[np.arange(size), true] += 2
    return scale * logits, true


def rows_of(probabilities: Floats, true: NDArray[np.int64], classes: tuple[str, ...] = CLASSES) -> list[Row]:
    return [
        Row(f"toy/{i}", "toy", f"toy/{i % 3}", 0, 0, classes[t], classes[int(p.argmax())], tuple(p.tolist()))
        for i, (p, t) in enumerate(zip(probabilities, true, strict=True))
    ]


# confidences of few values, so that many are equal, and whether each answer is right
answered = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.sampled_from([0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0])), arrays(np.bool_, n)
    )
)
rates = st.floats(0.01, 0.99)


# Before the temperature


@given(arrays(np.float64, (5, 4), elements=st.floats(-3, 3)), st.floats(0.5, 3))
def test_the_softmax_before_the_temperature_comes_back(logits: Floats, temperature: float) -> None:
    """To 1e-9, where nothing was rounded or clipped."""
    calibrated = softmax(logits / temperature)
    assert uncalibrated(calibrated, temperature) == pytest.approx(softmax(logits), abs=1e-9)


def test_each_row_may_have_a_temperature_of_its_own() -> None:
    logits, _ = logits_of(20)
    temperatures = np.linspace(0.6, 4, 20)
    assert uncalibrated(softmax(logits / temperatures[:, None]), temperatures) == pytest.approx(softmax(logits))


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5, 9.0])
def test_four_decimals_give_the_scores_before_the_temperature(temperature: float) -> None:
    """Calibration error to half a point, Brier score to 0.001."""
    logits, true = logits_of(2000)
    before, stored = softmax(logits), softmax(logits / temperature).round(4)
    found = recovered(stored, true, temperature)
    assert found is not None
    expected = expected_calibration_error(before, true)
    assert expected_calibration_error(found, true) == pytest.approx(expected, abs=0.005)
    assert brier_score(found, true) == pytest.approx(brier_score(before, true), abs=0.001)


def test_what_four_decimals_do_not_tell_is_not_told() -> None:
    """A temperature of 0.1, as a fit without a validation error gets, leaves nothing but zeros and ones."""
    logits, true = logits_of(500)
    assert recovered(softmax(logits / 0.1).round(4), true, 0.1) is None


# Wrong answers among those that stand


@given(answered)
def test_the_curve_is_the_share_of_wrong_answers_at_each_threshold(given: tuple[Floats, NDArray[np.bool_]]) -> None:
    confidence, is_right = given
    curve = risk_coverage(confidence, is_right)
    assert curve.threshold.tolist() == sorted(set(confidence.tolist()), reverse=True)
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        stands = confidence >= threshold
        assert coverage == pytest.approx(stands.mean())
        assert risk == pytest.approx(np.mean(~is_right[stands]))
    assert curve.coverage[-1] == 1


def test_the_area_is_the_mean_risk_over_answers() -> None:
    """Of six answers in the order of their confidence, the fourth and the last are wrong."""
    curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), np.array([True, True, True, False, True, False]))
    assert curve.area == pytest.approx((0 + 0 + 0 + 1 / 4 + 1 / 5 + 2 / 6) / 6)


def test_the_area_of_a_confidence_that_says_nothing_is_the_error_rate() -> None:
    assert risk_coverage(np.full(10, 0.5), np.arange(10) < 7).area == pytest.approx(0.3)


@given(answered, rates)
def test_no_other_threshold_keeps_to_the_rate_and_covers_more(
    given: tuple[Floats, NDArray[np.bool_]], rate: float
) -> None:
    confidence, is_right = given

    def keeps(threshold: float) -> bool:
        stands = confidence >= threshold
        return bool(stands.mean() >= MIN_COVERAGE and np.mean(~is_right[stands]) <= rate)

    found = choose_threshold(confidence, is_right, rate)
    good = [threshold for threshold in confidence if keeps(threshold)]
    if found is None:
        assert not good
    else:
        assert keeps(found)
        assert np.mean(confidence >= found) == np.mean(confidence >= min(good))


@given(answered, rates, rates)
def test_a_larger_error_rate_never_asks_for_a_higher_threshold(
    given: tuple[Floats, NDArray[np.bool_]], one: float, other: float
) -> None:
    strict, loose = (choose_threshold(*given, rate) for rate in sorted((one, other)))
    assert (math.inf if strict is None else strict) >= (math.inf if loose is None else loose)


def test_every_answer_may_stand_where_few_enough_are_wrong() -> None:
    assert choose_threshold(np.array([0.9, 0.2]), np.array([True, True]), 0.25) == 0.0


def test_there_is_no_threshold_where_the_surest_answers_are_wrong_or_too_few_or_there_are_none() -> None:
    confidence = np.linspace(1, 0.3, 100)
    assert choose_threshold(confidence, np.arange(100) % 2 == 1, 0.25) is None
    assert choose_threshold(confidence, np.arange(100) < 3, 0.25) is None, "4 of 100 reach it"
    assert choose_threshold(confidence, np.arange(100) < 4, 0.25) == pytest.approx(confidence[4])
    assert choose_threshold(np.empty(0), np.empty(0, bool), 0.25) is None


# Sets of classes


@given(arrays(np.float64, st.integers(2, 60), elements=st.floats(0, 1)), st.sampled_from([*COVERAGES, 0.5]))
def test_of_exchangeable_answers_as_many_sets_hold_the_true_class_as_asked(p_true: Floats, coverage: float) -> None:
    """The guarantee itself: each of n + 1 answers in turn is the new one, and the share that is held is counted."""
    held = []
    for i, p in enumerate(p_true):
        threshold = conformal_threshold(np.delete(p_true, i), coverage)
        held.append(threshold is None or p >= threshold)
    assert np.mean(held) >= coverage - 1e-12


@pytest.mark.parametrize("coverage", COVERAGES)
def test_sets_hold_the_true_class_as_often_as_asked_and_hardly_more(coverage: float) -> None:
    """500 draws of 100 validation and 100 new answers: the mean coverage lies in [c, c + 1/101], to 0.01."""
    rng, held = np.random.default_rng(0), []
    for _ in range(500):
        probabilities = rng.dirichlet(np.full(5, 0.5), 200)
        true = (probabilities.cumsum(1) > rng.uniform(size=(200, 1))).argmax(1)
        p_true = probabilities[np.arange(200), true]
        sets = conformal_sets(probabilities[100:], conformal_threshold(p_true[:100], coverage))
        held.append(sets[np.arange(100), true[100:]].mean())
    assert coverage - 0.01 <= np.mean(held) <= coverage + 1 / 101 + 0.01


@given(arrays(np.float64, st.integers(20, 60), elements=st.floats(0, 1)), st.sampled_from(COVERAGES))
def test_the_threshold_is_numpys_quantile_of_the_scores(p_true: Floats, coverage: float) -> None:
    """The formula of Angelopoulos and Bates, to 1e-12; the level is lowered by 1e-9 against rounding."""
    level = math.ceil((len(p_true) + 1) * coverage - 1e-9) / len(p_true)
    score = np.quantile(1 - p_true, level - 1e-9, method="inverted_cdf")
    assert conformal_threshold(p_true, coverage) == pytest.approx(1 - score, abs=1e-12)


@pytest.mark.parametrize(("coverage", "size"), [(0.8, 4), (0.9, 9), (0.95, 19)])
def test_too_few_answers_give_no_threshold(coverage: float, size: int) -> None:
    assert conformal_threshold(np.full(size, 0.5), coverage) == 0.5
    assert conformal_threshold(np.full(size - 1, 0.5), coverage) is None


def test_an_empty_set_gets_the_top_class_and_without_a_threshold_every_class() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.8, 0.15, 0.05]])
    assert conformal_sets(probabilities, 0.7).tolist() == [[True, False, False], [True, False, False]]
    assert conformal_sets(probabilities, 0.2).tolist() == [[True, True, True], [True, False, False]]
    assert conformal_sets(probabilities, None).all()


# What a card says


def described(error_rate: float = 0.25, temperature: float | None = 2.0, size: int = 300) -> dict[str, Any]:
    logits, true = logits_of(size)
    probabilities = softmax(logits[:, :3] / 2).round(4)
    return describe_calibration(rows_of(probabilities, true % 3), CLASSES, temperature, error_rate=error_rate)


def test_a_card_says_these_things_and_they_are_json() -> None:
    found = described()
    assert found.keys() == KEYS
    assert (found["speakers"], found["utterances"], found["error_rate"]) == (3, 300, 25.0)
    assert found["conformal"].keys() == {"0.8", "0.9", "0.95"}
    assert json.loads(json.dumps(found)) == found


def test_a_card_says_nothing_without_validation_answers() -> None:
    assert describe_calibration([], CLASSES, 1.0) == {}


def test_the_numbers_of_a_card_are_those_of_its_answers() -> None:
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 1, 400).round(4)
    probabilities, true = np.stack([first, 1 - first], 1), (rng.uniform(0, 1, 400) > first).astype(int)
    rows = rows_of(probabilities, true, ("anger", "fear"))
    found = describe_calibration(rows, ("anger", "fear"), 2.0)
    assert found["brier_after"] == pytest.approx(2 * oracle.brier_score_loss(true, 1 - first), abs=5e-5)
    raised = first**2 / (first**2 + (1 - first) ** 2)
    assert found["brier_before"] == pytest.approx(2 * oracle.brier_score_loss(true, 1 - raised), abs=1e-4)
    assert found["ece_after"] == pytest.approx(100 * expected_calibration_error(probabilities, true), abs=0.005)
    stands = probabilities.max(1) >= found["threshold"]
    assert found["coverage"] == pytest.approx(100 * stands.mean(), abs=0.005)
    wrong = probabilities.argmax(1)[stands] != true[stands]
    assert found["error"] == pytest.approx(100 * wrong.mean(), abs=0.005)
    assert found["error"] <= 25
    thresholds = [found["conformal"][str(coverage)] for coverage in COVERAGES]
    assert all(low >= high for low, high in pairwise(thresholds)), "more coverage asks for less probability"


def test_before_is_left_out_where_no_temperature_is_known() -> None:
    found = described(temperature=None)
    assert (found["ece_before"], found["brier_before"]) == (None, None)
    assert found.keys() == KEYS


def test_too_few_answers_for_a_coverage_leave_it_out() -> None:
    assert described(size=10)["conformal"].keys() == {"0.8", "0.9"}
    assert described(size=3)["conformal"] == {}


def test_an_answer_is_right_by_what_was_predicted() -> None:
    """Stored probabilities may be equal where the model's own were not."""
    rows = [Row("toy/1", "toy", "toy/1", 0, 0, "fear", "fear", (0.5, 0.5, 0.0))]
    assert right_of(rows).tolist() == [True]
    probabilities, true = arrays_of(rows, CLASSES)
    assert (probabilities.tolist(), true.tolist()) == ([[0.5, 0.5, 0.0]], [1])
