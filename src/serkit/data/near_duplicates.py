"""Near-duplicates: recordings whose acoustic fingerprints agree wherever they overlap in time.

Candidates come from an index: two words of each code that share 24 bits give an offset at which the codes may fit. At
each offset, and at speeds of 0.98 to 1.02, the bits that differ are counted over all words that both codes have. Bits
that do not change from word to word count more, since others also differ if one recording begins between two words of
the other. How few bits may differ depends on how many there are, and it matters whether they are spread evenly: two
takes of a sentence agree in places, a copy agrees everywhere.

Source: J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002 (bits that differ);
A. Wang, "An Industrial-Strength Audio Search Algorithm", ISMIR 2003 (offsets from an index).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serkit.audio.fingerprint import SECONDS_OF_PATCH, SECONDS_PER_WORD, WordArray, unpack

Indices = NDArray[np.int64]

_FARTHEST = 256  # words on either side of an agreement that are compared: 8 s
_MIN_WORDS = 8  # 0.53 s of sound
_MIN_STABLE_BITS = 24
LIMIT = 0.172  # distance from which on two recordings are not the same
_UNEVEN = 0.2
_DOUBT, _ENOUGH = 1.8, 30  # fewer words than enough must agree better
_STRAIGHT = 0.5  # distance without a change of speed from which on none is tried
_SLOPES = (0.0, -0.01, 0.01, -0.02, 0.02)
_RUNS = ((0.38, (-2, 1, 4)), (0.26, range(-5, 8)))  # words around an agreement, and the share of bits that may differ
_FIRM_DIFFERENCES = 0.12  # share of stable bits that may differ there
_MOST_PER_WORD = 64  # agreements of one word in one table, so that a sound in every clip costs little
_CHUNK = 1 << 20  # agreements held at once
_CELLS = 1 << 19  # words compared at once
_BITS = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)
# bits of a word, and bits of the one two later, that make the key of a table
_TABLES = tuple(
    (int(sum(1 << int(bit) for bit in bits[:12])), int(sum(1 << int(bit) for bit in bits[4:])))
    for bits in (np.random.default_rng(seed).permutation(16) for seed in range(10))
)


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two recordings that share sound.

    Attributes:
        first: Name of one recording.
        second: Name of the other.
        similarity: 1 where all bits of the shared sound agree, 0 where no more than by chance.
        overlap: Duration of the shared sound in seconds, without silence.
    """

    first: str
    second: str
    similarity: float
    overlap: float


class Closeness(NamedTuple):
    """How well two codes fit at their best offset and speed."""

    distance: float
    differing: float  # share of all bits
    words: int  # that both codes have


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of many codes in a row, with silence before and after each."""

    names: tuple[str, ...]
    words: WordArray  # (N,)
    stable: WordArray  # (N,): bits that are the same in the words before and after
    owners: NDArray[np.int32]  # (N,): the code of each word
    starts: Indices  # (codes,): the place of each code's first word
    ends: Indices  # (codes,): the place after its last word

    @classmethod
    def of(cls, codes: Mapping[str, bytes]) -> "_Words":
        """Unpack codes."""
        names = tuple(sorted(codes))
        gap = np.zeros(1, np.uint16)
        parts = [unpack(codes[name]) for name in names]
        lengths = np.array([len(part) for part in parts], np.int64)
        ends = np.cumsum(lengths + 1)
        words = np.concatenate([gap, *(piece for part in parts for piece in (part, gap))])
        owners = np.concatenate([[-1], np.repeat(np.arange(len(names)), lengths + 1)]).astype(np.int32)
        return cls(names, words, _stable_bits(words), owners, ends - lengths, ends)


def near_duplicates(codes: Mapping[str, bytes]) -> list[NearDuplicate]:
    """Find recordings of one collection that share sound.

    Args:
        codes: Fingerprint of each recording by its name; excerpts are allowed.

    Returns:
        Each pair once, the names of a pair in order, sorted by them.

    Raises:
        ValueError: If a code is damaged.
    """
    return _listed(distances(codes))


def near_duplicates_between(codes: Mapping[str, bytes], others: Mapping[str, bytes]) -> list[NearDuplicate]:
    """Find recordings of two collections that share sound.

    Args:
        codes: Fingerprint of each recording of the first collection by its name; excerpts are allowed.
        others: Fingerprint of each recording of the second.

    Returns:
        Pairs with a name of the first collection first, sorted by names.

    Raises:
        ValueError: If a code is damaged.
    """
    return _listed(distances(codes, others))


def distances(
    codes: Mapping[str, bytes], others: Mapping[str, bytes] | None = None, *, below: float = LIMIT
) -> dict[tuple[str, str], Closeness]:
    """Measure how far the codes are apart that have candidates for an offset.

    Args:
        codes: Fingerprint of each recording by its name.
        others: Fingerprint of each recording of a second collection; None to compare the first with itself.
        below: Distance from which on pairs are left out.

    Returns:
        Distance and what it was measured on, by the two names.

    Raises:
        ValueError: If a code is damaged.
    """
    ours = _Words.of(codes)
    theirs = ours if others is None else _Words.of(others)
    best: dict[tuple[int, int], Closeness] = {}
    for pair, measured in _compare(ours, theirs, *_candidates(ours, theirs), below):
        if pair not in best or measured < best[pair]:
            best[pair] = measured
    return {(ours.names[a], theirs.names[b]): best[a, b] for a, b in sorted(best)}


def _listed(found: Mapping[tuple[str, str], Closeness]) -> list[NearDuplicate]:
    return [
        NearDuplicate(first, second, round(max(0.0, 1 - 2 * close.differing), 4), _duration(close.words))
        for (first, second), close in found.items()
    ]


def _duration(count: int) -> float:
    """Return the duration of the sound that words describe, in seconds."""
    return round((count - 1) * SECONDS_PER_WORD + SECONDS_OF_PATCH, 3)


def _stable_bits(words: WordArray) -> WordArray:
    """Return the bits of each word that are the same before and after; silence does not count."""
    before, after = np.roll(words, 1), np.roll(words, -1)
    changes = (words ^ np.where(before == 0, words, before)) | (words ^ np.where(after == 0, words, after))
    stable: WordArray = np.where(words == 0, 0, ~changes).astype(np.uint16)
    return stable


def _candidates(ours: _Words, theirs: _Words) -> tuple[Indices, Indices]:
    """Return places at which two codes may fit, one for each offset between them."""
    numbers, places = [np.empty(0, np.int64)], [np.empty((2, 0), np.int64)]
    for some in _agreements(ours, theirs):
        here, there = some
        for most, run in _RUNS:
            near = _agree_nearby(ours, theirs, (here, there), run, most)
            here, there = here[near], there[near]
        number, first = np.unique(_offset_numbers(ours, theirs, here, there), return_index=True)
        numbers.append(number)
        places.append(np.stack([here[first], there[first]]))
    _, first = np.unique(np.concatenate(numbers), return_index=True)
    here, there = np.concatenate(places, axis=1)[:, first]
    return here, there


def _offset_numbers(ours: _Words, theirs: _Words, here: Indices, there: Indices) -> Indices:
    """Return a number for each pair of codes and offset between them, if offsets are within 9 hours."""
    a, b = ours.owners[here].astype(np.int64), theirs.owners[there].astype(np.int64)
    offsets: Indices = (there - theirs.starts[b]) - (here - ours.starts[a])
    return (a << 42) + (b << 21) + offsets + (1 << 20)


def _agreements(ours: _Words, theirs: _Words) -> Iterator[tuple[Indices, Indices]]:
    """Yield places of words whose keys are equal, in chunks. In one collection, each pair of codes has one order."""
    for low, high in _TABLES:
        keys, places = _sorted_keys(ours.words, low, high)
        if theirs is ours:
            other_keys, other_places, starts = keys, places, np.arange(1, len(keys) + 1)
        else:
            other_keys, other_places = _sorted_keys(theirs.words, low, high)
            starts = np.searchsorted(other_keys, keys, "left")
        counts = np.minimum(np.searchsorted(other_keys, keys, "right") - starts, _MOST_PER_WORD)
        sums = np.cumsum(counts)
        cuts = np.searchsorted(sums, np.arange(0, int(sums[-1]) if len(sums) else 0, _CHUNK), "left")
        for begin, end in zip(cuts, [*cuts[1:], len(keys)], strict=False):
            number = counts[begin:end]
            inside = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
            here = np.repeat(places[begin:end], number)
            there = other_places[np.repeat(starts[begin:end], number) + inside]
            if theirs is ours:
                here, there = np.minimum(here, there), np.maximum(here, there)
                differ = ours.owners[here] != ours.owners[there]
                here, there = here[differ], there[differ]
            yield here, there


def _sorted_keys(words: WordArray, low: int, high: int) -> tuple[NDArray[np.uint32], Indices]:
    """Return the keys of words with sound until two words later, in order, and the places of the words."""
    places = np.flatnonzero((words[:-2] != 0) & (words[1:-1] != 0) & (words[2:] != 0))
    keys = ((words[places] & low).astype(np.uint64) << np.uint64(16)) | (words[places + 2] & high)
    both = np.sort((keys << np.uint64(32)) | places.astype(np.uint64))
    return (both >> np.uint64(32)).astype(np.uint32), (both & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _agree_nearby(
    ours: _Words, theirs: _Words, places: tuple[Indices, Indices], run: Sequence[int], most: float
) -> NDArray[np.bool_]:
    """Return which agreements hold for the words around them, too."""
    here, there = places
    bits, differing, stable, firm = (np.zeros(len(here), np.int32) for _ in range(4))
    for step in run:
        at, other = here + step, there + step
        a, b = ours.words.take(at, mode="clip"), theirs.words.take(other, mode="clip")
        both = (a != 0) & (b != 0)
        differ = np.where(both, a ^ b, 0)
        firmly = ours.stable.take(at, mode="clip") & theirs.stable.take(other, mode="clip")
        bits += both
        differing += _BITS[differ]
        stable += _BITS[firmly]
        firm += _BITS[differ & firmly]
    return (differing <= most * 16 * bits) & (firm <= _FIRM_DIFFERENCES * stable + 1)


def _compare(
    ours: _Words, theirs: _Words, here: Indices, there: Indices, below: float
) -> Iterator[tuple[tuple[int, int], Closeness]]:
    """Yield pairs of codes closer than a distance."""
    a, b = ours.owners[here], theirs.owners[there]
    before = np.minimum(np.minimum(here - ours.starts[a], there - theirs.starts[b]) + 2, _FARTHEST)
    after = np.minimum(np.minimum(ours.ends[a] - here, theirs.ends[b] - there) + 2, _FARTHEST)
    order = np.lexsort((before, before + after))  # neighbors need tables of nearly the same size
    done = 0
    while done < len(order):
        size = max(1, _CELLS // int(before[order[done]] + after[order[done]] + 1))
        some = order[done : done + size]
        done += size
        steps = np.arange(-before[some].max(), after[some].max() + 1)
        for slope in _SLOPES:
            apart, rates, counts = _measure(ours, theirs, (here[some], there[some]), steps, slope)
            for one in np.flatnonzero(apart < below):
                pair = int(a[some[one]]), int(b[some[one]])
                yield pair, Closeness(float(apart[one]), float(rates[one]), int(counts[one]))
            if slope == 0:
                some = some[apart < _STRAIGHT]
            if not len(some):
                break


def _measure(
    ours: _Words, theirs: _Words, places: tuple[Indices, Indices], steps: Indices, slope: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], Indices]:
    """Compare codes at places (C,) and steps around them (S,).

    Returns:
        Distance, share of bits that differ, and number of words compared, each of shape (C,). The distance is infinite
        where there are too few words.
    """
    here, there = places
    at = np.clip(here[:, None] + steps, 0, len(ours.words) - 1)
    other = np.clip(there[:, None] + np.rint(steps * (1 + slope)).astype(np.int64), 0, len(theirs.words) - 1)
    a, b = ours.words[at], theirs.words[other]
    both = (a != 0) & (b != 0)
    both &= (ours.owners[at] == ours.owners[here][:, None]) & (theirs.owners[other] == theirs.owners[there][:, None])
    stable = np.where(both, ours.stable[at] & theirs.stable[other], 0)
    differing = np.where(both, a ^ b, 0)
    counts = both.sum(axis=1)
    stable_bits = _BITS[stable].sum(axis=1, dtype=np.int64)
    firm, loose = _BITS[differing & stable], _BITS[differing]
    words, bits = np.maximum(counts, 1), np.maximum(stable_bits, 1)
    rates = loose.sum(axis=1, dtype=np.int64) / (16 * words)
    squares = np.square((loose + 2 * firm).astype(np.int32)).sum(axis=1)
    apart = firm.sum(axis=1, dtype=np.int64) / bits + rates / 2
    apart += _UNEVEN * np.sqrt(squares / words) / 16 + _DOUBT * np.maximum(0, 1 / words - 1 / _ENOUGH)
    apart[(counts < _MIN_WORDS) | (stable_bits < _MIN_STABLE_BITS)] = np.inf
    return apart, rates, counts
