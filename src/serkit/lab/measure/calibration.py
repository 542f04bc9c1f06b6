"""How far probabilities can be trusted, and what follows: when to say that one is not sure, and sets of classes.

Three numbers come from validation answers: the temperature, which is fitted in training; the top probability below
which an answer should not stand; and the probability from which on a class belongs to a set. Nothing here needs torch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.metrics import IntArray, brier_score, expected_calibration_error
from serkit.lab.measure.run_folder import Row

ERROR_RATE = 0.25  # that answers may have unless somebody says otherwise
COVERAGES = (0.8, 0.9, 0.95)  # of the sets on a card
MIN_COVERAGE = 0.05  # a threshold that fewer validation answers reach was chosen by a handful of them
_HALF_A_DECIMAL = 5e-5  # predictions.csv and validation.csv have 4 decimals: what is stored as 0 lies below this
_NEXT_TO_NOTHING = 1e-9
_LARGEST_DOUBT = 0.01  # in calibration error, beyond which it counts as not known

Probabilities = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class RiskCoverage:
    """Errors among the answered, as fewer and fewer answers may stand.

    Attributes:
        threshold: Top probability that an answer needs, each one that occurs, falling, shape (k,).
        coverage: Share of all answers that reach it, 0 to 1, rising to 1.
        risk: Share of wrong ones among these.
        area: Under the curve (AURC): the mean over answers of the risk once each of them stands; equally sure answers
            stand or fall together. 0 is best; that of an order at random is the error rate.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    area: float


def arrays_of(rows: Sequence[Row], classes: Sequence[str]) -> tuple[Probabilities, IntArray]:
    """Return the probabilities (n, C) and true class indices (n,) of answers."""
    index = {name: i for i, name in enumerate(classes)}
    probabilities = np.array([row.probabilities for row in rows]).reshape(len(rows), len(classes))
    return probabilities, np.array([index[row.true] for row in rows], np.int64)


def right_of(rows: Sequence[Row]) -> Bools:
    """Return whether each answer names the true class, shape (n,)."""
    return np.array([row.predicted == row.true for row in rows], bool)


def uncalibrated(
    probabilities: Probabilities, temperature: float | NDArray[np.float64], *, smallest: float = _HALF_A_DECIMAL
) -> Probabilities:
    """Return what the softmax would have been without the temperature: p to the power of T, normalized.

    Probabilities are stored with 4 decimals, so what stands there as 0 is clipped. A temperature below about 0.5 turns
    such small ones into large ones, and the answer hangs on where they are clipped: see :func:`recovered`.

    Args:
        probabilities: Calibrated ones, shape (n, C).
        temperature: That the logits were divided by: one, or one for each row, shape (n,).
        smallest: What a smaller probability counts as.

    Example:
        >>> uncalibrated(np.array([[0.8, 0.2]]), 2.0).round(4)
        array([[0.9412, 0.0588]])
    """
    power = np.reshape(np.asarray(temperature, np.float64), (-1, 1))
    logits = power * np.log(np.clip(probabilities, smallest, None))  # logits but for a constant of the row
    raised = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    softmax: Probabilities = raised / raised.sum(1, keepdims=True)
    return softmax


def recovered(
    probabilities: Probabilities, true: IntArray, temperature: float | NDArray[np.float64]
) -> Probabilities | None:
    """Return :func:`uncalibrated` probabilities, or None where 4 decimals do not tell what they were.

    They do not where the calibration error changes by more than a point with what a stored 0 stands for.
    """
    likely, extreme = (
        uncalibrated(probabilities, temperature, smallest=s) for s in (_HALF_A_DECIMAL, _NEXT_TO_NOTHING)
    )
    doubt = abs(expected_calibration_error(likely, true) - expected_calibration_error(extreme, true))
    return likely if doubt <= _LARGEST_DOUBT else None


def risk_coverage(confidence: NDArray[np.float64], is_right: Bools) -> RiskCoverage:
    """Return the errors among the answered against the share of them.

    Args:
        confidence: Top probability of each answer, shape (n,), n at least 1.
        is_right: Whether it names the true class, shape (n,).

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017.
    """
    order = np.argsort(-confidence, kind="stable")
    falling, wrong = confidence[order], np.cumsum(~is_right[order])
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))  # of equally sure answers all stand, or none
    answered = last + 1
    risk = wrong[last] / answered
    steps = np.diff(answered, prepend=0) / len(confidence)
    return RiskCoverage(falling[last], answered / len(confidence), risk, float(np.sum(risk * steps)))


def choose_threshold(confidence: NDArray[np.float64], is_right: Bools, error_rate: float) -> float | None:
    """Return the lowest top probability above which few enough validation answers are wrong.

    It is the one with the largest coverage. Being the best of many on validation, it promises a little too much.

    Args:
        confidence: Top probability of each answer, shape (n,).
        is_right: Whether it names the true class, shape (n,).
        error_rate: Largest share of wrong answers among those that stand, 0 to 1.

    Returns:
        The threshold: an answer stands where its top probability is at least that. 0.0 where every answer may stand;
        None where no threshold does, or none that a twentieth of the answers reaches.
    """
    if not len(confidence):
        return None
    curve = risk_coverage(confidence, is_right)
    good = np.flatnonzero((curve.risk <= error_rate) & (curve.coverage >= MIN_COVERAGE))
    if not len(good):
        return None
    return 0.0 if good[-1] == len(curve.risk) - 1 else float(curve.threshold[good[-1]])


def conformal_threshold(p_true: NDArray[np.float64], coverage: float) -> float | None:
    """Return the probability from which on a class belongs to a set that holds the true class as often as asked.

    Of n validation answers the score is 1 minus the true class's probability; the threshold is 1 minus the
    ceil((n + 1) coverage)-th smallest score. Sets of new answers then hold the true class with at least that
    probability if they are exchangeable with the validation answers: the same speakers and recordings, which new
    speakers only resemble and other corpora are not.

    Args:
        p_true: Probability of the true class of each validation answer, shape (n,).
        coverage: Share of sets that shall hold the true class, between 0 and 1.

    Returns:
        The threshold; None where n is too small for that coverage, and a set would have to hold every class.

    Source: Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 2019;
        Angelopoulos and Bates, A Gentle Introduction to Conformal Prediction, 2021, section 1.
    """
    rank = math.ceil(round((len(p_true) + 1) * coverage, 9))  # 0.95 is no binary fraction
    return float(np.sort(p_true)[::-1][rank - 1]) if rank <= len(p_true) else None


def conformal_sets(probabilities: Probabilities, threshold: float | None) -> Bools:
    """Return which classes belong to each answer's set, shape (n, C).

    Args:
        probabilities: Shape (n, C).
        threshold: From :func:`conformal_threshold`; with None every class belongs to every set. A set that would be
            empty gets the most probable class.
    """
    sets: Bools = probabilities >= (0.0 if threshold is None else threshold)
    sets[np.arange(len(sets)), probabilities.argmax(1)] = True
    return sets


def describe_calibration(
    rows: Sequence[Row], classes: Sequence[str], temperature: float | None, *, error_rate: float = ERROR_RATE
) -> dict[str, Any]:
    """Return what a card says of the calibration, from one fit's answers on its validation speakers.

    The temperature was fitted on these very answers, and the epoch may have been kept by them: on new speakers the
    probabilities are worse.

    Args:
        rows: The answers, calibrated.
        classes: In order.
        temperature: Of the fit; None where it is not one, as of an ensemble, whose members have one each.
        error_rate: Largest share of wrong answers among those that stand, 0 to 1.

    Returns:
        Nothing without answers. Else ``speakers`` and ``utterances``; ``ece_before`` and ``ece_after`` the temperature
        in percent, ``brier_before`` and ``brier_after``, 0 to 2 (before is None where it is not known); the
        stated ``error_rate`` in percent, the ``threshold`` of :func:`choose_threshold`, the ``coverage`` at it in
        percent of the answers and the ``error`` in percent of those that stand, None where none does; ``conformal``
        thresholds by coverage, of which those are missing for which there are too few answers.
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


def words_of(calibration: Mapping[str, Any]) -> str:
    """Return in one sentence when a model says 'uncertain', and what that gave on validation; '' where nothing says."""
    if not calibration:
        return ""
    goal = f"{calibration['error_rate']:g} %"
    if calibration["threshold"] is None:
        return f"no threshold for uncertain: none leaves at most {goal} of the validation answers above it wrong"
    of_those = f"of validation {calibration['coverage']:.0f} % answered, {calibration['error']:.0f} % of those wrong"
    return f"threshold for uncertain {calibration['threshold']:.2f}: {of_those}"


def _percent(share: float | np.floating[Any]) -> float:
    return round(100 * float(share), 2)
