"""What listeners heard, against what actors meant: people scored as a model is, and how far people agree."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.data.listeners_votes import votes_of
from serkit.data.manifest import Manifest
from serkit.errors import ManifestError
from serkit.lab.measure.intervals import bootstrap_interval
from serkit.lab.measure.metrics import Counts, confusion_matrix, macro_f1, uar, weighted_accuracy


@dataclass(frozen=True)
class Listeners:
    """The votes of a corpus's listeners. Percentages are rounded to two decimals.

    Attributes:
        emotions: Acted emotions and emotions that listeners heard, in alphabetical order.
        utterances: Number of utterances with votes.
        speakers: Number of their speakers.
        answers: Number of votes.
        heard: Votes by acted emotion (rows) and heard emotion (columns).
        uar: UAR of one listener in percent: each vote is scored as a prediction of the acted emotion.
        uar_low: Lower end of its 95 % interval, a bootstrap over speakers.
        uar_high: Upper end of its 95 % interval.
        wa: Share of votes for the acted emotion, in percent.
        macro_f1: Macro-F1 of the votes, in percent.
        ties: Number of utterances without a majority.
        majority: Utterances with a majority, by acted emotion (rows) and heard emotion (columns).
        majority_wa: Share of these whose majority heard the acted emotion, in percent; None without such utterances.
        kappa: Cohen's kappa between the acted emotion and the majority; None without such utterances.
        alpha: Krippendorff's alpha between listeners, for nominal data: 1 if all agree, 0 as by chance, None where each
            utterance has one vote.
    """

    emotions: tuple[str, ...]
    utterances: int
    speakers: int
    answers: int
    heard: tuple[tuple[int, ...], ...]
    uar: float
    uar_low: float
    uar_high: float
    wa: float
    macro_f1: float
    ties: int
    majority: tuple[tuple[int, ...], ...]
    majority_wa: float | None
    kappa: float | None
    alpha: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as values that ``json.dumps`` takes."""
        return asdict(self)


def listeners_of(manifest: Manifest) -> Listeners:
    """Score the listeners of a corpus.

    Args:
        manifest: Utterances; those without votes are left out.

    Raises:
        ManifestError: If no utterance has votes, or votes are not numbers.
    """
    voted = [(u, votes) for u in manifest if any((votes := votes_of(u)).values())]
    if not voted:
        raise ManifestError(
            f"no utterance of {', '.join(manifest.corpora)} has listeners' votes; where the release has a table of "
            "them, copy it to the audio."
        )
    meant = [u.extra.get("acted", u.emotion) for u, _ in voted]
    emotions = tuple(sorted({*meant, *(name for _, votes in voted for name in votes)}))
    counts = np.array([[votes.get(emotion, 0) for emotion in emotions] for _, votes in voted])  # (n, C)
    acted = np.array([emotions.index(emotion) for emotion in meant])
    speakers = np.array([u.speaker for u, _ in voted])
    answers = counts.sum(1)
    true, heard = (
        np.repeat(acted, answers),
        np.concatenate([np.repeat(np.arange(len(emotions)), row) for row in counts]),
    )
    interval = bootstrap_interval(true, heard[None], np.repeat(speakers, answers), len(emotions))
    confusion = confusion_matrix(true, heard, len(emotions))
    has_majority = (counts == counts.max(1, keepdims=True)).sum(1) == 1
    majority = confusion_matrix(acted[has_majority], counts[has_majority].argmax(1), len(emotions))
    low, high = _percent(interval.low, interval.high)
    score, share, f1 = _percent(*(metric(confusion) for metric in (uar, weighted_accuracy, macro_f1)))
    return Listeners(
        emotions=emotions,
        utterances=len(voted),
        speakers=len(set(speakers)),
        answers=int(answers.sum()),
        heard=_rows(confusion),
        uar=score,
        uar_low=low,
        uar_high=high,
        wa=share,
        macro_f1=f1,
        ties=int((~has_majority).sum()),
        majority=_rows(majority),
        majority_wa=_known(100 * weighted_accuracy(majority), 2),
        kappa=_known(cohens_kappa(majority), 3),
        alpha=_known(krippendorffs_alpha(counts), 3),
    )


def cohens_kappa(confusion: Counts) -> float:
    """Return the agreement of two raters beyond chance, from their confusion matrix; NaN without utterances.

    Source: Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20, 1960.
    """
    total = confusion.sum()
    if not total:
        return float("nan")
    observed = np.trace(confusion) / total
    expected = confusion.sum(0) @ confusion.sum(1) / total**2
    return float((observed - expected) / (1 - expected)) if expected < 1 else 1.0


def krippendorffs_alpha(counts: NDArray[np.int64]) -> float:
    """Return the agreement of any number of raters beyond chance, for nominal data; NaN without two votes on anything.

    Args:
        counts: Votes by utterance and class, shape (n, C); an utterance with one vote says nothing of agreement.

    Source: Krippendorff, Content Analysis, 2004, chapter 11.
    """
    paired = counts[counts.sum(1) >= 2].astype(float)
    total = paired.sum()
    if not total:
        return float("nan")
    size = paired.sum(1)
    observed = ((size**2 - (paired**2).sum(1)) / (size - 1)).sum() / total
    of_class = paired.sum(0)
    expected = (total**2 - (of_class**2).sum()) / (total * (total - 1))
    return float(1 - observed / expected) if expected else 1.0


def _percent(*values: float) -> Sequence[float]:
    return [round(100 * value, 2) for value in values]


def _known(value: float, digits: int) -> float | None:
    """Return a rounded number, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else round(value, digits)


def _rows(matrix: Counts) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(cell) for cell in row) for row in matrix)
