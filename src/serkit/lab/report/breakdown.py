"""The numbers of a report that no table of runs has: scores of each class, speaker and fold; calibration; errors.

All are means over seeds of numbers pooled over folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.calibration import RiskCoverage, risk_coverage
from serkit.lab.measure.metrics import Counts, brier_score, confusion_matrix, uar, weighted_accuracy
from serkit.lab.measure.run_folder import Row
from serkit.lab.report.run_contents import AnswerArrays

BINS = 15  # as many as the expected calibration error has


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 (0 to 1) of one class or averaged over classes, and support in utterances."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class GroupScore:
    """Scores of the clips of one speaker or fold.

    Attributes:
        name: Speaker, or number of the fold.
        corpus: Corpus of the first clip.
        clips: Number of clips.
        speakers: Number of speakers.
        uar: Recall averaged over the classes in these clips, 0 to 1.
        accuracy: Share of correct predictions, 0 to 1.
        confusion: Most frequent confusion as (true, predicted, clips); None without errors.
    """

    name: str
    corpus: str
    clips: int
    speakers: int
    uar: float
    accuracy: float
    confusion: tuple[str, str, float] | None


@dataclass(frozen=True)
class Reliability:
    """Accuracy of the predictions by bins of confidence.

    Attributes:
        edges: Edges of the bins, shape (BINS + 1,).
        confidence: Mean confidence in each bin, shape (BINS,), NaN in empty bins.
        accuracy: Share of correct predictions in each bin, shape (BINS,), NaN in empty bins.
        share: Share of all predictions in each bin, shape (BINS,).
    """

    edges: NDArray[np.float64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    share: NDArray[np.float64]


def mean_confusion(answers: AnswerArrays) -> NDArray[np.float64]:
    """Return the confusion matrix averaged over seeds, shape (C, C); rows are the reference."""
    return np.asarray(np.mean(_matrices(answers, slice(None)), axis=0), np.float64)


def per_class(answers: AnswerArrays) -> tuple[list[ClassScore], ClassScore, ClassScore]:
    """Return the scores of each class in the reference, their macro average, and their weighted average."""
    matrices = np.array(_matrices(answers, slice(None)), np.float64)  # (S, C, C)
    right = np.einsum("sii->si", matrices)
    support, given = matrices.sum(2), matrices.sum(1)
    recall = (right / np.maximum(support, 1)).mean(0)
    precision = (right / np.maximum(given, 1)).mean(0)
    f1 = (2 * right / np.maximum(support + given, 1)).mean(0)
    counts = support[0].astype(int)
    there = np.flatnonzero(counts)
    scores = [
        ClassScore(answers.classes[i], float(precision[i]), float(recall[i]), float(f1[i]), int(counts[i]))
        for i in there
    ]
    columns = np.array([precision, recall, f1])[:, there]  # (3, classes in the reference)
    shares = counts[there] / counts.sum()
    macro = _average("macro average", columns.mean(1), int(counts.sum()))
    return scores, macro, _average("weighted average", columns @ shares, int(counts.sum()))


def per_group(answers: AnswerArrays, name: str) -> list[GroupScore]:
    """Return the scores of each ``speaker`` or ``fold``, sorted by name or number."""
    values, corpora, speakers = answers.each(name), answers.each("corpus"), answers.each("speaker")
    found = []
    for value in sorted(set(values.tolist()), key=lambda text: (int(text) if text.isdecimal() else 0, text)):
        own = values == value
        matrices = _matrices(answers, own)
        found.append(
            GroupScore(
                value, str(corpora[own][0]), int(own.sum()), len(set(speakers[own].tolist())),
                float(np.mean([uar(m) for m in matrices])), float(np.mean([weighted_accuracy(m) for m in matrices])),
                most_frequent_confusion(np.mean(matrices, axis=0), answers.classes),
            )
        )  # fmt: skip
    return found


def most_frequent_confusion(matrix: NDArray[np.float64], classes: Sequence[str]) -> tuple[str, str, float] | None:
    """Return the most frequent confusion as true class, predicted class and count; None without errors."""
    wrong = matrix - np.diag(np.diag(matrix))
    true, predicted = divmod(int(wrong.argmax()), len(classes))
    count = float(wrong[true, predicted])
    return (classes[true], classes[predicted], count) if count else None


def reliability(answers: AnswerArrays) -> Reliability:
    """Return the reliability of the predictions of all seeds together."""
    confidence = answers.probabilities.max(2).ravel()
    right = (answers.probabilities.argmax(2) == answers.true).ravel()
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(which, minlength=BINS)
    filled = np.where(counts, counts, np.nan)
    return Reliability(
        np.linspace(0, 1, BINS + 1),
        np.bincount(which, confidence, BINS) / filled,
        np.bincount(which, right, BINS) / filled,
        counts / len(which),
    )


def brier_of(answers: AnswerArrays) -> float:
    """Return the Brier score averaged over seeds."""
    return float(np.mean([brier_score(one, answers.true) for one in answers.probabilities]))


def error_curve(answers: AnswerArrays) -> RiskCoverage:
    """Return the risk-coverage curve of the predictions of all seeds together."""
    return risk_coverage(answers.probabilities.max(2).ravel(), (answers.predicted == answers.true).ravel())


def confident_errors(answers: AnswerArrays, count: int) -> list[Row]:
    """Return the errors with the highest confidence, highest first, each utterance once."""
    wrong = [row for rows in answers.by_seed for row in rows if row.true != row.predicted]
    found: dict[str, Row] = {}
    for row in sorted(wrong, key=lambda row: (-max(row.probabilities), row.utterance, row.seed)):
        found.setdefault(row.utterance, row)
    return list(found.values())[:count]


def drawn_answers(answers: AnswerArrays, count: int, *, seed: int = 0) -> list[Row]:
    """Return randomly drawn predictions of the first seed, sorted by utterance; ``seed`` seeds the drawing."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(answers.rows), min(count, len(answers.rows)), replace=False)
    return [answers.rows[i] for i in sorted(chosen.tolist())]


def _average(name: str, values: NDArray[np.float64], support: int) -> ClassScore:
    precision, recall, f1 = values.tolist()
    return ClassScore(name, precision, recall, f1, support)


def _matrices(answers: AnswerArrays, which: NDArray[np.bool_] | slice) -> list[Counts]:
    true, classes = answers.true[which], len(answers.classes)
    return [confusion_matrix(true, row[which], classes) for row in answers.predicted]
