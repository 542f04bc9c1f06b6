"""Calibration from validation predictions: temperature, threshold for "uncertain", and prediction sets.

Three numbers are fitted on validation predictions: the temperature, which is fitted in training; the threshold of the
top probability below which a model answers "uncertain"; and the threshold above which a class belongs to a
prediction set.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.metrics import IntArray, brier_score, expected_calibration_error
from serkit.lab.measure.run_folder import Row

ERROR_RATE = 0.25  # default of the largest share of wrong answers among those above the threshold
COVERAGES = (0.8, 0.9, 0.95)  # coverages of the prediction sets on a card
MIN_COVERAGE = 0.05  # a threshold that a smaller share of predictions reaches rests on a handful of them
_HALF_A_DECIMAL = 5e-5  # predictions.csv and validation.csv have 4 decimals: a stored 0 was less than this
_SMALLEST = 1e-9  # stands for a stored 0, which was a tiny probability
_LARGEST_DOUBT = 0.01  # largest tolerated uncertainty of the calibration error before the temperature

Probabilities = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class RiskCoverage:
    """The risk-coverage curve: the share of wrong answers at each threshold of the top probability.

    Attributes:
        threshold: Every top probability that occurs, in falling order, shape (k,).
        coverage: Share of all predictions that reach the threshold, 0 to 1, rising to 1, shape (k,).
        risk: Share of wrong predictions among those that reach it, shape (k,).
        area: Area under the curve (AURC): the risk at the top probability of each prediction, averaged over
            predictions. 0 is best; for confidences that say nothing it is the error rate.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    area: float


def arrays_of(rows: Sequence[Row], classes: Sequence[str]) -> tuple[Probabilities, IntArray]:
    """Return the probabilities, shape (n, C), and the true class indices, shape (n,), of predictions."""
    index = {name: i for i, name in enumerate(classes)}
    probabilities = np.array([row.probabilities for row in rows]).reshape(len(rows), len(classes))
    return probabilities, np.array([index[row.true] for row in rows], np.int64)


def right_of(rows: Sequence[Row]) -> Bools:
    """Return whether each prediction is correct, shape (n,)."""
    return np.array([row.predicted == row.true for row in rows], bool)


def uncalibrated(
    probabilities: Probabilities, temperature: float | NDArray[np.float64], *, smallest: float = _HALF_A_DECIMAL
) -> Probabilities:
    """Return the probabilities before the temperature was applied: p to the power of T, normalized.

    Probabilities are stored with 4 decimals, so a stored 0 is replaced by ``smallest``. A temperature below about 0.5
    turns such small probabilities into large ones, and the result depends on ``smallest``: see :func:`recovered`.

    Args:
        probabilities: Calibrated probabilities, shape (n, C).
        temperature: Temperature that the logits were divided by: one, or one per row, shape (n,).
        smallest: Lower bound; a smaller probability is replaced by it.

    Example:
        >>> uncalibrated(np.array([[0.8, 0.2]]), 2.0).round(4)
        array([[0.9412, 0.0588]])
    """
    power = np.reshape(np.asarray(temperature, np.float64), (-1, 1))
    logits = power * np.log(np.clip(probabilities, smallest, None))  # logits, up to a constant per row
    raised = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    softmax: Probabilities = raised / raised.sum(1, keepdims=True)
    return softmax


def recovered(
    probabilities: Probabilities, true: IntArray, temperature: float | NDArray[np.float64]
) -> Probabilities | None:
    """Return :func:`uncalibrated` probabilities, or None if the 4 stored decimals do not determine them.

    They do not if the calibration error depends by more than a percentage point on what a stored 0 stands for.
    """
    likely, extreme = (uncalibrated(probabilities, temperature, smallest=s) for s in (_HALF_A_DECIMAL, _SMALLEST))
    doubt = abs(expected_calibration_error(likely, true) - expected_calibration_error(extreme, true))
    return likely if doubt <= _LARGEST_DOUBT else None


def risk_coverage(confidence: NDArray[np.float64], is_right: Bools) -> RiskCoverage:
    """Return the risk-coverage curve of predictions.

    Args:
        confidence: Top probability of each prediction, shape (n,), n at least 1.
        is_right: Whether each prediction is correct, shape (n,).

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017.
    """
    order = np.argsort(-confidence, kind="stable")
    falling, wrong = confidence[order], np.cumsum(~is_right[order])
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))  # equal confidences reach a threshold together
    answered = last + 1
    risk = wrong[last] / answered
    steps = np.diff(answered, prepend=0) / len(confidence)
    return RiskCoverage(falling[last], answered / len(confidence), risk, float(np.sum(risk * steps)))


def choose_threshold(confidence: NDArray[np.float64], is_right: Bools, error_rate: float) -> float | None:
    """Return the lowest threshold of the top probability that keeps to an error rate on validation predictions.

    It is the threshold with the largest coverage. Because it is the best of many on validation, the error rate on new
    speakers is a little higher.

    Args:
        confidence: Top probability of each prediction, shape (n,).
        is_right: Whether each prediction is correct, shape (n,).
        error_rate: Largest share of wrong predictions among those that reach the threshold, 0 to 1.

    Returns:
        The threshold: a model answers if its top probability is at least this. 0.0 if it may always answer; None if no
        threshold keeps to the error rate, or only thresholds that less than a twentieth of the predictions reach.
    """
    if not len(confidence):
        return None
    curve = risk_coverage(confidence, is_right)
    good = np.flatnonzero((curve.risk <= error_rate) & (curve.coverage >= MIN_COVERAGE))
    if not len(good):
        return None
    return 0.0 if good[-1] == len(curve.risk) - 1 else float(curve.threshold[good[-1]])


def conformal_threshold(p_true: NDArray[np.float64], coverage: float) -> float | None:
    """Return the probability threshold of split conformal prediction sets with a given coverage.

    A prediction set holds the classes whose probability reaches the threshold. The score of a validation prediction
    is 1 minus the probability of its true class; the threshold is 1 minus the ceil((n + 1) coverage)-th smallest of n
    scores. Sets then hold the true class with at least the given probability if new predictions are exchangeable with
    the validation predictions. That holds for the same speakers and recording conditions, only roughly for new
    speakers, and not for other corpora.

    Args:
        p_true: Probability of the true class of each validation prediction, shape (n,).
        coverage: Share of sets that shall hold the true class, between 0 and 1.

    Returns:
        The threshold; None if n is too small for this coverage, so that a set has to hold every class.

    Source: Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 2019;
        Angelopoulos and Bates, A Gentle Introduction to Conformal Prediction, 2021, section 1.
    """
    rank = math.ceil(round((len(p_true) + 1) * coverage, 9))  # 0.95 is not a binary fraction
    return float(np.sort(p_true)[::-1][rank - 1]) if rank <= len(p_true) else None


def conformal_sets(probabilities: Probabilities, threshold: float | None) -> Bools:
    """Return whether each class belongs to the prediction set of each utterance, shape (n, C).

    A set is never empty: it always holds the most probable class.

    Args:
        probabilities: Probabilities of the classes, shape (n, C).
        threshold: Threshold from :func:`conformal_threshold`; None puts every class into every set.
    """
    sets: Bools = probabilities >= (0.0 if threshold is None else threshold)
    sets[np.arange(len(sets)), probabilities.argmax(1)] = True
    return sets


def describe_calibration(
    rows: Sequence[Row], classes: Sequence[str], temperature: float | None, *, error_rate: float = ERROR_RATE
) -> dict[str, Any]:
    """Return the calibration entry of a card, from the validation predictions of one fit.

    The temperature was fitted on the same predictions, and the epoch may have been chosen on them: on new speakers the
    probabilities are less well calibrated.

    Args:
        rows: Validation predictions with calibrated probabilities.
        classes: Class names, in the order of the probabilities.
        temperature: Temperature of the fit; None for an ensemble whose members have one each.
        error_rate: Largest share of wrong predictions among those above the threshold, 0 to 1.

    Returns:
        An empty mapping without predictions. Otherwise ``speakers`` and ``utterances``; ``ece_before`` and
        ``ece_after`` the temperature in percent; ``brier_before`` and ``brier_after``, 0 to 2 (the values before are
        None if they are not known); ``error_rate`` in percent; ``threshold`` from :func:`choose_threshold`;
        ``coverage``, the percentage of predictions that reach it; ``error``, the percentage of wrong ones among these,
        None if there are none; ``conformal``, thresholds of prediction sets by coverage, without those for which there
        are too few predictions.
    """
    if not rows:
        return {}
    after, true = arrays_of(rows, classes)
    before = None if temperature is None else recovered(after, true, temperature)
    confidence, is_right = after.max(1), right_of(rows)
    threshold = choose_threshold(confidence, is_right, error_rate)
    stands = confidence >= (math.inf if threshold is None else threshold)
    p_true = after[np.arange(len(true)), true]
    sets = {str(coverage): conformal_threshold(p_true, coverage) for coverage in COVERAGES}
    return {
        "speakers": len({row.speaker for row in rows}),
        "utterances": len(rows),
        "ece_before": None if before is None else _percent(expected_calibration_error(before, true)),
        "ece_after": _percent(expected_calibration_error(after, true)),
        "brier_before": None if before is None else round(brier_score(before, true), 4),
        "brier_after": round(brier_score(after, true), 4),
        "error_rate": _percent(error_rate),
        "threshold": None if threshold is None else round(threshold, 4),
        "coverage": _percent(stands.mean()),
        "error": _percent(np.mean(~is_right[stands])) if stands.any() else None,
        "conformal": {coverage: round(value, 4) for coverage, value in sets.items() if value is not None},
    }


def _percent(share: float | np.floating[Any]) -> float:
    return round(100 * float(share), 2)
