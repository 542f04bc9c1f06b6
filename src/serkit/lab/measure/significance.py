"""Whether two runs on the same utterances differ: an interval and a p value of the difference in UAR.

Speakers are what is drawn, since new speakers are what a result is about, and both runs always see the same ones. The
interval is a bootstrap, widened for few speakers; the p value is that of a swap test, which is exact. The p value of
the bootstrap itself would be too small: of runs that do not differ, with ten speakers it calls 11 in 100 different at
a level of 5 %, the swap test 5. Nothing here needs torch.
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
_BLOCK = 2_000_000  # numbers that are drawn at once
_SAME = 1e-12  # differences in UAR as near as this are equal


@dataclass(frozen=True)
class Difference:
    """First minus second UAR, -1 to 1, its 95 % interval, the two-sided p value, and what was drawn."""

    value: float
    low: float
    high: float
    p: float
    over: str


@dataclass(frozen=True)
class _Units:
    """What is drawn, in groups within which it is drawn; (K, C) arrays have a row for each kind of unit.

    Of speakers there is one of each kind, in one group. Of utterances, alike are those of one speaker and class that
    each run got right in the same share of its seeds: a group is a speaker.
    """

    times: IntArray  # (K,) how often each kind is there
    groups: tuple[slice, ...]  # of kinds
    support: FloatArray  # (K, C) utterances of each class in one unit
    first: FloatArray  # (K, C) of these right, mean over seeds
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
    """Compare two runs on the same utterances by their UAR, each averaged over its seeds.

    With fewer than six speakers utterances are drawn within each speaker, which tells nothing about new speakers.

    Args:
        true: Class indices, shape (n,).
        first: Class indices that the first run answered, shape (seeds, n).
        second: Of the second run, which may have another number of seeds.
        speakers: Shape (n,).
        classes: C.
        draws: How many resamples, and random swaps at most.
        seed: Of the resampling.

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
    """Correct p values for their number, in their order.

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
    """Return the mean of ``right / support`` over the classes that have support; the last axis is the classes'."""
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
    """Yield how often each kind is drawn, in blocks of shape (draws, K)."""
    for size in _blocks(draws, len(units.times)):
        parts = []
        for group in units.groups:
            times = units.times[group]
            parts.append(rng.multinomial(times.sum(), times / times.sum(), size=size))
        yield np.concatenate(parts, axis=1).astype(np.float64)


def _of_draw(times: FloatArray, units: _Units) -> NDArray[np.float64]:
    return _mean_recall(times @ (units.first - units.second), times @ units.support)


def _p_of_swaps(units: _Units, total: FloatArray, value: float, draws: int, rng: np.random.Generator) -> float:
    """Return the share of swaps that give a difference as large, in either direction.

    Were the runs alike, each unit's answers could as well be the other's. All swaps are counted where they are few,
    else random ones.
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
