"""95 % confidence intervals from a bootstrap over speakers, widened for a small number of speakers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.metrics import Counts, IntArray, confusion_matrix, uar, uar_of_each

LEVEL = 0.95
MIN_SPEAKERS = 6  # with fewer speakers a bootstrap over speakers is meaningless


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval; ``over`` is what was resampled: ``speakers`` or ``utterances within speakers``."""

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
    """Return the confidence interval of a metric that is averaged over seeds.

    Speakers are drawn with replacement, because a result is a claim about new speakers. The interval is widened for a
    small number of speakers, see :func:`tail_of`. With fewer than six speakers, utterances are drawn within each
    speaker instead; such an interval says nothing about new speakers.

    Args:
        true: True class indices, shape (n,).
        predicted: Predicted class indices, shape (seeds, n).
        speakers: Speaker of each utterance, shape (n,).
        classes: Number of classes.
        metric: Function of one confusion matrix.
        draws: Number of resamples.
        seed: Random seed of the resampling.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(speakers)
    groups = [np.flatnonzero(speakers == name) for name in names]
    if len(names) >= MIN_SPEAKERS:
        each = np.stack(
            [[confusion_matrix(true[g], seed_row[g], classes) for seed_row in predicted] for g in groups]
        )  # (speakers, seeds, C, C)
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
        drawn = np.tensordot(times, each, axes=1)  # (draws, seeds, C, C)
        over = "speakers"
    else:
        drawn = _draw_utterances(true, predicted, groups, classes, draws=draws, rng=rng)
        over = "utterances within speakers"
    scores = uar_of_each(drawn) if metric is uar else [[metric(c) for c in of_draw] for of_draw in drawn]
    values = np.mean(scores, axis=1)
    tail = tail_of(len(names)) if over == "speakers" else (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high), over)


def _draw_utterances(
    true: IntArray,
    predicted: NDArray[np.int64],
    groups: Sequence[NDArray[np.int64]],
    classes: int,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Counts:
    """Return confusion matrices of utterances drawn within each group, shape (draws, seeds, C, C)."""
    found = []
    for _ in range(draws):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        found.append([confusion_matrix(true[drawn], row[drawn], classes) for row in predicted])
    return np.array(found)


def tail_of(speakers: int) -> float:
    """Return the share of bootstrap draws to leave out on each side of a 95 % interval over ``speakers`` speakers.

    It is less than 2.5 %. The variance of a bootstrap of n units is too small by the factor (n - 1) / n, and its tails
    are those of a normal distribution. Plain percentile intervals are therefore too narrow: with 6 speakers they hold
    the true value in 87 of 100 cases, with 10 speakers in 91.

    Source: Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015.
    """
    quantile = student_quantile(LEVEL, speakers - 1)
    return NormalDist().cdf(-math.sqrt(speakers / (speakers - 1)) * quantile)


def student_quantile(level: float, freedom: int) -> float:
    """Return the t for which a share ``level`` of Student's t distribution lies between -t and t.

    Args:
        level: Share of the distribution, between 0 and 1.
        freedom: Degrees of freedom, at least 1.
    """
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_within(middle, freedom) < level else (low, middle)
    return high


def _student_within(t: float, freedom: int) -> float:
    """Return the share of Student's t distribution between -t and t.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    is_odd = freedom % 2
    term = math.cos(angle) if is_odd else 1.0
    series = 0.0 if freedom == 1 else term
    for k in range(2 + is_odd, freedom - 1, 2):
        term *= (k - 1) / k * math.cos(angle) ** 2
        series += term
    return 2 / math.pi * (angle + math.sin(angle) * series) if is_odd else math.sin(angle) * series
