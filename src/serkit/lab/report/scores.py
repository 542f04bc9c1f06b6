"""The numbers of a report that no table of runs has: per class, per speaker and fold, calibration, confusions.

Everything is the mean over seeds of numbers that are pooled over folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.calibration import RiskCoverage, recovered, risk_coverage
from serkit.lab.measure.calibration_transfer import Transfer, known_temperatures, measure_transfer
from serkit.lab.measure.intervals import Interval, bootstrap_interval
from serkit.lab.measure.metrics import Counts, brier_score, confusion_matrix, uar, weighted_accuracy
from serkit.lab.measure.run_folder import Row
from serkit.lab.report.reading import AnswerArrays, Run

BINS = 15  # of confidence, as the expected calibration error has


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 from 0 to 1, of a class or averaged over classes; support in utterances."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class GroupScore:
    """UAR and accuracy from 0 to 1, of the clips of one speaker or fold.

    Attributes:
        name: Of the speaker or fold.
        corpus: Of its first clip.
        clips: How many.
        speakers: How many.
        uar: Over the classes that it has.
        accuracy: Share of right answers.
        confusion: The most frequent one as (true, predicted, clips); None where all is right.
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
    """How often answers of about the same confidence are right.

    Attributes:
        edges: Of the bins, shape (BINS + 1,).
        confidence: Mean of each bin, shape (BINS,), NaN in an empty one.
        accuracy: Likewise.
        share: Of all answers.
    """

    edges: NDArray[np.float64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    share: NDArray[np.float64]


def mean_confusion(answers: AnswerArrays) -> NDArray[np.float64]:
    """Return the counts, mean over seeds, shape (C, C), rows the reference."""
    return np.asarray(np.mean(_matrices(answers, slice(None)), axis=0), np.float64)


def interval(answers: AnswerArrays, metric: Callable[[Counts], float]) -> Interval:
    """Return the 95 % interval of a metric, 0 to 1."""
    classes = len(answers.classes)
    return bootstrap_interval(answers.true, answers.predicted, answers.each("speaker"), classes, metric=metric)


def per_class(answers: AnswerArrays) -> tuple[list[ClassScore], ClassScore, ClassScore]:
    """Return a row for each class that the reference has, and their macro and weighted averages."""
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
    columns = np.array([precision, recall, f1])[:, there]  # (3, classes that are there)
    shares = counts[there] / counts.sum()
    macro = _average("macro average", columns.mean(1), int(counts.sum()))
    return scores, macro, _average("weighted average", columns @ shares, int(counts.sum()))


def per_group(answers: AnswerArrays, name: str) -> list[GroupScore]:
    """Return a row for each ``speaker`` or ``fold``, in the order of their names or numbers."""
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
    """Return the true class, the one that was said instead and how often; None where all is right."""
    wrong = matrix - np.diag(np.diag(matrix))
    true, predicted = divmod(int(wrong.argmax()), len(classes))
    count = float(wrong[true, predicted])
    return (classes[true], classes[predicted], count) if count else None


def reliability(answers: AnswerArrays) -> Reliability:
    """Return confidence and accuracy by bins of confidence, the answers of all seeds together."""
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
    """Return the Brier score, mean over seeds."""
    return float(np.mean([brier_score(one, answers.true) for one in answers.probabilities]))


def before_temperature(run: Run) -> AnswerArrays | None:
    """Return the answers without each fit's temperature; None where they are not known, or no other."""
    temperatures, answers = known_temperatures(run.fits), run.answers
    keys = [[(row.fold, row.seed) for row in rows] for rows in answers.by_seed]
    if not all(key in temperatures for one in keys for key in one):
        return None
    powers = np.array([[temperatures[key] for key in one] for one in keys])  # (S, n)
    if (powers == 1).all():
        return None
    flat = answers.probabilities.reshape(-1, len(answers.classes))
    found = recovered(flat, np.tile(answers.true, len(answers.seeds)), powers.ravel())
    return None if found is None else replace(answers, probabilities=found.reshape(answers.probabilities.shape))


def error_curve(answers: AnswerArrays) -> RiskCoverage:
    """Return errors against the share of answers that stand, those of all seeds together."""
    return risk_coverage(answers.probabilities.max(2).ravel(), (answers.predicted == answers.true).ravel())


def transfer_of(run: Run) -> Transfer:
    """Return what each fold's validation answers give on its test answers."""
    tested = [row for rows in run.answers.by_seed for row in rows]
    return measure_transfer(tested, run.validated, run.answers.classes, known_temperatures(run.fits))


def confident_errors(answers: AnswerArrays, count: int) -> list[Row]:
    """Return the wrong answers that the model was surest of, each utterance once, the surest first."""
    wrong = [row for rows in answers.by_seed for row in rows if row.true != row.predicted]
    found: dict[str, Row] = {}
    for row in sorted(wrong, key=lambda row: (-max(row.probabilities), row.utterance, row.seed)):
        found.setdefault(row.utterance, row)
    return list(found.values())[:count]


def drawn_answers(answers: AnswerArrays, count: int, *, seed: int = 0) -> list[Row]:
    """Return some answers of the first seed, drawn by a seed of its own, sorted by utterance."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(answers.rows), min(count, len(answers.rows)), replace=False)
    return [answers.rows[i] for i in sorted(chosen.tolist())]


def _average(name: str, values: NDArray[np.float64], support: int) -> ClassScore:
    precision, recall, f1 = values.tolist()
    return ClassScore(name, precision, recall, f1, support)


def _matrices(answers: AnswerArrays, which: NDArray[np.bool_] | slice) -> list[Counts]:
    true, classes = answers.true[which], len(answers.classes)
    return [confusion_matrix(true, row[which], classes) for row in answers.predicted]
