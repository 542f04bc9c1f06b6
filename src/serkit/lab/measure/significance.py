"""Compares two runs on the same utterances: a confidence interval and a p value of their difference in UAR.

Speakers are resampled, because a result is a claim about new speakers; both runs always get the same speakers. The
interval is from a bootstrap, widened for a small number of speakers. The p value is from a swap (permutation) test,
which is exact. The bootstrap's own p value would be too small: for runs that do not differ, with ten speakers, it
falls below 5 % in 11 of 100 cases, the swap test's in 5.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.intervals import LEVEL, MIN_SPEAKERS, tail_of
from serkit.lab.measure.metrics import IntArray

FloatArray = NDArray[np.float64]
DRAWS = 10_000
_BLOCK = 2_000_000  # numbers drawn at once, to bound memory
_SAME = 1e-12  # differences in UAR closer than this count as equal


@dataclass(frozen=True)
class Difference:
    """The difference in UAR of two runs, first minus second, -1 to 1.

    Attributes:
        value: Difference.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        p: Two-sided p value.
        over: Units that were resampled: ``speakers`` or ``utterances within speakers``.
    """

    value: float
    low: float
    high: float
    p: float
    over: str


@dataclass(frozen=True)
class _Units:
    """The units that are resampled, counted by kind.

    If speakers are resampled, each speaker is a kind of its own, and all form one group. If utterances are resampled
    within speakers, the utterances of one speaker and class that each run classified correctly in the same share of
    its seeds are one kind, and the kinds of a speaker form a group.

    Attributes:
        times: Number of units of each kind, shape (K,).
        groups: Ranges of kinds; units are drawn within a group.
        support: Number of utterances of each class in one unit of a kind, shape (K, C).
        first: Number of them that the first run classified correctly, mean over its seeds, shape (K, C).
        second: The same for the second run, shape (K, C).
    """

    times: IntArray
    groups: tuple[slice, ...]
    support: FloatArray
    first: FloatArray
    second: FloatArray


def paired_difference(
    true: IntArray,
    first: IntArray,
    second: IntArray,
    speakers: NDArray[np.str_],
    classes: int,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Compare two runs on the same utterances by their UAR, averaged over the seeds of each run.

    With fewer than six speakers, utterances are drawn within each speaker, and the result says nothing about new
    speakers.

    Args:
        true: True class indices, shape (n,).
        first: Predicted class indices of the first run, shape (seeds, n).
        second: Predicted class indices of the second run, shape (seeds, n); the number of seeds may differ.
        speakers: Speaker of each utterance, shape (n,).
        classes: Number of classes, C.
        draws: Number of resamples, and largest number of swaps.
        seed: Random seed.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 15; the widening is the
        expanded percentile interval of Hesterberg, What Teachers Should Know About the Bootstrap, 2015.

    Example:
        >>> true, names = np.array([0, 1] * 6), np.repeat(list("abcdef"), 2)
        >>> paired_difference(true, true[None], 1 - true[None], names, 2).value
        1.0
    """
    by_speaker = len(np.unique(speakers)) >= MIN_SPEAKERS
    right = [(answers == true).mean(0) for answers in (first, second)]
    make = _speakers if by_speaker else _alike_utterances
    units = make(true, right[0], right[1], speakers, classes)
    total = (units.times[:, None] * units.support).sum(0)
    value = _mean_recall((units.times[:, None] * (units.first - units.second)).sum(0), total)
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([_of_draw(times, units) for times in _resamples(units, draws, rng)])
    tail = tail_of(len(units.times)) if by_speaker else (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    p = _p_of_swaps(units, total, float(value), draws, rng)
    over = "speakers" if by_speaker else "utterances within speakers"
    return Difference(float(value), float(low), float(high), p, over)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for the number of tests, in the given order.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def _mean_recall(right: FloatArray, support: FloatArray) -> NDArray[np.float64]:
    """Return the mean of ``right / support`` over the classes with support; classes are on the last axis."""
    present = support > 0
    recall = np.divide(right, support, out=np.zeros(np.broadcast_shapes(right.shape, support.shape)), where=present)
    mean: NDArray[np.float64] = recall.sum(-1) / present.sum(-1)
    return mean


def _speakers(
    true: IntArray, first: FloatArray, second: FloatArray, speakers: NDArray[np.str_], classes: int
) -> _Units:
    names, place = np.unique(speakers, return_inverse=True)
    cell, size = place * classes + true, len(names) * classes
    weights = np.ones(len(true)), first, second
    counts = [np.bincount(cell, w, size).reshape(-1, classes).astype(np.float64) for w in weights]
    ones = np.ones(len(names), dtype=np.int64)
    return _Units(ones, (slice(0, len(names)),), counts[0], counts[1], counts[2])


def _alike_utterances(
    true: IntArray, first: FloatArray, second: FloatArray, speakers: NDArray[np.str_], classes: int
) -> _Units:
    names, place = np.unique(speakers, return_inverse=True)
    table = np.column_stack([place, true, first, second])
    kinds, times = np.unique(table, axis=0, return_counts=True)  # sorted by speaker first
    edges = np.searchsorted(kinds[:, 0], np.arange(len(names) + 1)).tolist()
    support = np.eye(classes)[kinds[:, 1].astype(int)]
    groups = tuple(slice(start, end) for start, end in pairwise(edges))
    return _Units(times.astype(np.int64), groups, support, support * kinds[:, 2:3], support * kinds[:, 3:4])


def _resamples(units: _Units, draws: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Yield the number of drawn units of each kind, in blocks of shape (draws, K)."""
    for size in _blocks(draws, len(units.times)):
        parts = []
        for group in units.groups:
            times = units.times[group]
            parts.append(rng.multinomial(times.sum(), times / times.sum(), size=size))
        yield np.concatenate(parts, axis=1).astype(np.float64)


def _of_draw(times: FloatArray, units: _Units) -> NDArray[np.float64]:
    return _mean_recall(times @ (units.first - units.second), times @ units.support)


def _p_of_swaps(units: _Units, total: FloatArray, value: float, draws: int, rng: np.random.Generator) -> float:
    """Return the share of swaps that give a difference at least as large as ``value``, in either direction.

    A swap exchanges the two runs' results on some units; if the runs do not differ, every swap is equally likely. All
    swaps are counted if there are at most ``draws``, otherwise as many random ones.
    """
    gain = units.first - units.second
    differs = np.abs(gain).max(1) > 0
    gain, times = gain[differs], units.times[differs]
    if not len(times):
        return 1.0
    is_exact = len(units.groups) == 1 and times.max() == 1 and 2 ** len(times) <= draws
    as_large = 0
    for signs in _all_signs(len(times)) if is_exact else _random_signs(times, draws, rng):
        swapped = _mean_recall(signs @ gain, total)
        as_large += int(np.sum(np.abs(swapped) >= abs(value) - _SAME))
    return as_large / 2 ** len(times) if is_exact else (as_large + 1) / (draws + 1)


def _all_signs(units: int) -> Iterator[FloatArray]:
    bits = np.arange(2**units)[:, None] >> np.arange(units) & 1
    yield 1.0 - 2.0 * bits.astype(np.float64)


def _random_signs(times: IntArray, draws: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Yield sums of random signs over the units of each kind, in blocks of shape (draws, K)."""
    for size in _blocks(draws, len(times)):
        yield (2 * rng.binomial(times, 0.5, size=(size, len(times))) - times).astype(np.float64)


def _blocks(draws: int, width: int) -> Iterator[int]:
    size = max(1, _BLOCK // width)
    for start in range(0, draws, size):
        yield min(size, draws - start)
