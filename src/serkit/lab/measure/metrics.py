"""Metrics of a classification, each defined once, as functions of a confusion matrix.

Nothing here needs torch. UAR is recall averaged over the classes that occur in the reference: where a
class is predicted that the reference lacks, scikit-learn's ``recall_score(average="macro")`` counts a
recall of 0 for it, while ``balanced_accuracy_score`` leaves it out, as we do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.intervals import LEVEL, tail_of

Counts = NDArray[np.int64]
IntArray = NDArray[np.int64]
MIN_SPEAKERS = 6  # below this a bootstrap over speakers says nothing


def confusion_matrix(true: IntArray, predicted: IntArray, classes: int) -> Counts:
    """Count utterances: rows are the reference, columns the prediction, shape (C, C)."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def uar(confusion: Counts) -> float:
    """Unweighted average recall, over the classes present in the reference, 0 to 1; NaN without any."""
    support = confusion.sum(1)
    present = support > 0
    return float(np.mean(np.diag(confusion)[present] / support[present])) if present.any() else float("nan")


def weighted_accuracy(confusion: Counts) -> float:
    """Share of utterances that are right (WA in the field), 0 to 1."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def macro_f1(confusion: Counts) -> float:
    """F1 averaged over the classes present in the reference, 0 to 1."""
    support, answers = confusion.sum(1), confusion.sum(0)
    present = support > 0
    f1 = 2 * np.diag(confusion)[present] / (support + answers)[present]
    return float(np.mean(f1)) if present.any() else float("nan")


def expected_calibration_error(probabilities: NDArray[np.float64], true: IntArray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence, 0 to 1; NaN without any.

    Args:
        probabilities: Shape (n, C).
        true: Class indices, shape (n,).
        bins: How many.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    if not len(true):
        return float("nan")
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == true
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[which == b].mean() - right[which == b].mean()) * np.mean(which == b) for b in set(which)]
    return float(sum(gaps))


def brier_score(probabilities: NDArray[np.float64], true: IntArray) -> float:
    """Mean over utterances of the squared error summed over classes, 0 (sure and right) to 2; NaN without any.

    For two classes this is twice what scikit-learn's ``brier_score_loss`` gives by default.

    Args:
        probabilities: Shape (n, C).
        true: Class indices, shape (n,).

    Source: Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950.
    """
    if not len(true):
        return float("nan")
    return float(np.mean(np.sum((probabilities - np.eye(probabilities.shape[1])[true]) ** 2, axis=1)))


@dataclass(frozen=True)
class Interval:
    """A 95 % interval and what was resampled for it: ``speakers``, or ``utterances within speakers``."""

    low: float
    high: float
    over: str


def bootstrap_interval(
    true: IntArray,
    predicted: NDArray[np.int64],
    speakers: NDArray[np.str_],
    classes: int,
    *,
    metric: Callable[[Counts], float] = uar,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Interval of a metric that is averaged over seeds.

    Speakers are drawn with replacement, since new speakers are what a result is about; the fewer they are, the wider
    the interval is made, see :mod:`serkit.lab.measure.intervals`. With fewer than six, utterances are drawn within each
    speaker, which tells nothing about new speakers.

    Args:
        true: Class indices, shape (n,).
        predicted: Class indices, shape (seeds, n).
        speakers: Shape (n,).
        classes: C.
        metric: Of one confusion matrix.
        draws: How many resamples.
        seed: Of the resampling.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(speakers)
    groups = [np.flatnonzero(speakers == name) for name in names]
    if len(names) >= MIN_SPEAKERS:
        each = np.stack(
            [[confusion_matrix(true[g], seed_row[g], classes) for seed_row in predicted] for g in groups]
        )  # (speakers, seeds, C, C)
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
        values = [np.mean([metric(c) for c in np.tensordot(row, each, axes=1)]) for row in times]
        over = "speakers"
    else:
        values = []
        for _ in range(draws):
            drawn = np.concatenate([rng.choice(g, len(g)) for g in groups])
            values.append(np.mean([metric(confusion_matrix(true[drawn], row[drawn], classes)) for row in predicted]))
        over = "utterances within speakers"
    tail = tail_of(len(names)) if over == "speakers" else (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high), over)
