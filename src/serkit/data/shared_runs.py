"""Finds recordings that share runs of equal samples, however short: windows that were cut from one file beforehand.

Acoustic fingerprints need 0.7 s of shared sound, and windows of 1 s every 0.5 s share less. But windows that were cut
without another encoding hold the same samples. A run of 64 samples is noted wherever its hash is one of 512, so that a
run is noted in each window or in none, wherever the window begins.

Source: the content-defined places are those of U. Manber, "Finding Similar Files in a Large File System", USENIX 1994.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serkit.data.near_duplicates import NearDuplicate
from serkit.types import FloatArray

HashArray = NDArray[np.uint64]

_DOUBLINGS = 6
_RUN = 2**_DOUBLINGS  # samples
_ONE_OF = 512  # runs that are noted
_LEAST_VALUES = 24  # distinct samples of a run; silence and rounding noise have fewer
_LEAST_SHARED = 3  # runs
_MOST_OWNERS = 64  # recordings that hold a run; what more of them hold is a jingle
_BASE, _MIX = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93  # odd constants
_WORD = 1 << 64


@dataclass(frozen=True)
class NotedRuns:
    """The runs of one recording that are noted.

    Attributes:
        rate: Sampling rate in Hz.
        hashes: Hash of each run, sorted, shape (N,).
    """

    rate: int
    hashes: HashArray


def runs_of(samples: FloatArray, rate: int) -> NotedRuns:
    """Return the noted runs of a recording.

    Args:
        samples: Samples as the file holds them, not resampled, shape (T,). They are compared at 16 bits.
        rate: Sampling rate in Hz.
    """
    if len(samples) < _RUN:
        return NotedRuns(rate, np.empty(0, np.uint64))
    whole = np.rint(samples.astype(np.float64) * 32_768).astype(np.int64).astype(np.uint64)
    hashes = whole
    for doubling in range(_DOUBLINGS):  # the hash of 2 n samples from those of n and n
        step = 2**doubling
        factor = np.uint64(pow(_BASE, step, _WORD))
        hashes = hashes[:-step] * factor + hashes[step:]
    hashes = (hashes ^ (hashes >> np.uint64(29))) * np.uint64(_MIX)
    hashes ^= hashes >> np.uint64(32)
    places = np.flatnonzero(hashes % np.uint64(_ONE_OF) == 0)
    values = np.sort(np.lib.stride_tricks.sliding_window_view(whole, _RUN)[places], axis=1)
    moving = (np.diff(values, axis=1) != 0).sum(axis=1) >= _LEAST_VALUES - 1
    return NotedRuns(rate, np.unique(hashes[places[moving]]))


def shared_runs(runs: Mapping[str, NotedRuns], others: Mapping[str, NotedRuns] | None = None) -> list[NearDuplicate]:
    """Find recordings that share runs of samples, within one collection or between two.

    Of several recordings that share the same runs, neighbors in the order of their names are paired.

    Args:
        runs: Noted runs of each recording by its name.
        others: A second collection. If given, only pairs with one recording in each are found.

    Returns:
        Pairs, sorted by names; with two collections, a name of the first comes first.
    """
    names = [*sorted(runs), *(sorted(others) if others else ())]
    known = [*(runs[name] for name in sorted(runs)), *((others or {})[name] for name in sorted(others or {}))]
    owners = np.repeat(np.arange(len(known)), [len(one.hashes) for one in known])
    hashes = np.concatenate([one.hashes for one in known]) if known else np.empty(0, np.uint64)
    order = np.lexsort((owners, hashes))
    owners, hashes = owners[order], hashes[order]
    starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])) if len(hashes) else np.empty(0, np.int64)
    sizes = np.diff(np.append(starts, len(hashes)))
    is_usual = np.repeat(sizes <= _MOST_OWNERS, sizes)
    is_same = (hashes[1:] == hashes[:-1]) & is_usual[1:]
    pairs = Counter(zip(owners[:-1][is_same].tolist(), owners[1:][is_same].tolist(), strict=True))
    first_other = len(runs) if others is not None else None
    return sorted(
        (
            NearDuplicate(names[a], names[b], 1.0, round(count * _ONE_OF / known[a].rate, 3))
            for (a, b), count in pairs.items()
            if count >= _LEAST_SHARED and (first_other is None or a < first_other <= b)
        ),
        key=lambda pair: (pair.first, pair.second),
    )
