"""Metrics of a classifier, computed from a confusion matrix or from probabilities.

UAR is recall averaged over the classes that occur in the reference. If a class is predicted that the reference lacks,
scikit-learn's ``recall_score(average="macro")`` counts a recall of 0 for it; ``balanced_accuracy_score`` leaves it out,
and so does :func:`uar`.
"""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
IntArray = NDArray[np.int64]


def confusion_matrix(true: IntArray, predicted: IntArray, classes: int) -> Counts:
    """Count utterances by true class (rows) and predicted class (columns), shape (C, C)."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def uar(confusion: Counts) -> float:
    """Unweighted average recall over the classes present in the reference, 0 to 1; NaN for an empty matrix."""
    support = confusion.sum(1)
    present = support > 0
    return float(np.mean(np.diag(confusion)[present] / support[present])) if present.any() else float("nan")


def uar_of_each(confusions: Counts) -> NDArray[np.float64]:
    """Return :func:`uar` of each matrix of an array of shape (..., C, C), to the same bits."""
    flat = confusions.reshape(-1, *confusions.shape[-2:])
    support, right = flat.sum(2), np.diagonal(flat, axis1=1, axis2=2)
    present = support > 0
    found = np.full(len(flat), np.nan)
    for classes in np.unique(present, axis=0):  # absent classes are left out, as zeros would change how sums round
        if classes.any():
            those = (present == classes).all(1)
            recall = np.ascontiguousarray(right[those][:, classes] / support[those][:, classes])
            found[those] = recall.mean(1)
    return found.reshape(confusions.shape[:-2])


def weighted_accuracy(confusion: Counts) -> float:
    """Share of correctly classified utterances, known as WA in the field, 0 to 1; NaN for an empty matrix."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def macro_f1(confusion: Counts) -> float:
    """F1 averaged over the classes present in the reference, 0 to 1; NaN for an empty matrix."""
    support, answers = confusion.sum(1), confusion.sum(0)
    present = support > 0
    f1 = 2 * np.diag(confusion)[present] / (support + answers)[present]
    return float(np.mean(f1)) if present.any() else float("nan")


def expected_calibration_error(probabilities: NDArray[np.float64], true: IntArray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over bins of confidence, 0 to 1; NaN without utterances.

    Args:
        probabilities: Probabilities of the classes, shape (n, C).
        true: True class indices, shape (n,).
        bins: Number of bins, all of one width.

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
    """Squared error summed over classes, averaged over utterances: 0 (sure and right) to 2; NaN without utterances.

    For two classes this is twice the default of scikit-learn's ``brier_score_loss``.

    Args:
        probabilities: Probabilities of the classes, shape (n, C).
        true: True class indices, shape (n,).

    Source: Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950.
    """
    if not len(true):
        return float("nan")
    return float(np.mean(np.sum((probabilities - np.eye(probabilities.shape[1])[true]) ** 2, axis=1)))
