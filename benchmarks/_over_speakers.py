"""Scores by speaker, and their intervals from a bootstrap over speakers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.intervals import tail_of
from serkit.types import FloatArray

DRAWS = 2000

Times = NDArray[np.int64]  # how often each speaker is drawn, (draws, speakers)


class Score(NamedTuple):
    """A score and its 95 % interval, in the same unit."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


def _times(speakers: int, seed: int) -> Times:
    return np.random.default_rng(seed).multinomial(speakers, np.full(speakers, 1 / speakers), size=DRAWS)


def score(speakers: int, statistic: Callable[[Times], FloatArray]) -> Score:
    """Return a statistic and its interval.

    Args:
        speakers: Number of speakers.
        statistic: Function of how often each speaker counts, (draws, speakers), to one value per draw.
    """
    value = float(statistic(np.ones((1, speakers), np.int64))[0])
    tail = tail_of(speakers)
    low, high = np.nanquantile(statistic(_times(speakers, 0)), [tail, 1 - tail])
    return Score(value, float(low), float(high))


def mean_score(values: Sequence[float]) -> Score:
    """Return the mean of one value per speaker, in percent."""
    each = 100 * np.asarray(values, float)
    return score(len(each), lambda times: times @ each / times.sum(1))


def difference(first: Sequence[float], second: Sequence[float]) -> Score:
    """Return the difference of two groups' means in points; the speakers of each group are drawn by themselves."""
    a, b = 100 * np.asarray(first, float), 100 * np.asarray(second, float)
    drawn = [_times(len(each), seed) @ each / len(each) for seed, each in enumerate((a, b))]
    tail = tail_of(min(len(a), len(b)))
    low, high = np.quantile(drawn[0] - drawn[1], [tail, 1 - tail])
    return Score(float(a.mean() - b.mean()), float(low), float(high))


def wins(scores: FloatArray, truth: NDArray[np.bool_], speakers: NDArray[np.str_]) -> tuple[FloatArray, FloatArray]:
    """Count pairs of a positive and a negative utterance, by the speakers of the two.

    Returns:
        Number of pairs in which the positive has the higher score (half for a tie), and number of pairs; both of shape
        (speakers, speakers), the speaker of the positive first.
    """
    names, place = np.unique(speakers, return_inverse=True)
    positive, negative = np.flatnonzero(truth), np.flatnonzero(~truth)
    apart = scores[positive][:, None] - scores[negative][None, :]
    won = (apart > 0) + 0.5 * (apart == 0)
    cells = place[positive][:, None] * len(names) + place[negative][None, :]
    shape = (len(names), len(names))
    total = np.bincount(cells.ravel(), minlength=len(names) ** 2).reshape(shape)
    return np.bincount(cells.ravel(), won.ravel(), len(names) ** 2).reshape(shape), total.astype(float)


def auc_within(scores: FloatArray, truth: NDArray[np.bool_], speakers: NDArray[np.str_]) -> FloatArray:
    """Return the area under the ROC curve within each speaker who has utterances of both kinds; chance is 0.5."""
    won, total = (np.diag(counts) for counts in wins(scores, truth, speakers))
    return won[total > 0] / total[total > 0]


def pooled_auc(scores: FloatArray, truth: NDArray[np.bool_], speakers: NDArray[np.str_]) -> Score:
    """Return the area under the ROC curve over all pairs of utterances, also of two speakers, in percent."""
    won, total = wins(scores, truth, speakers)

    def statistic(times: Times) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return 100 * np.sum((times @ won) * times, 1) / np.sum((times @ total) * times, 1)

    return score(len(won), statistic)


def pooled_uar(found: NDArray[np.int64], truth: NDArray[np.int64], speakers: NDArray[np.str_]) -> Score:
    """Return the unweighted average recall over the utterances of all speakers, in percent."""
    classes, each = np.unique(truth), np.unique(speakers)
    totals = np.array([[np.sum((speakers == s) & (truth == c)) for c in classes] for s in each])
    rights = np.array([[np.sum((speakers == s) & (truth == c) & (found == c)) for c in classes] for s in each])

    def statistic(times: Times) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return 100 * np.nanmean((times @ rights) / (times @ totals), axis=1)

    return score(len(each), statistic)
