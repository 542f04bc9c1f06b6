"""Near-duplicates: recordings whose acoustic fingerprints agree, wherever they overlap in time.

Candidates come from an index: words of two codes that share many bits give an offset at which the codes may fit. At
each offset, and at speeds of 0.98 to 1.02, the share of bits that differ is measured over all words that both have.
How small it must be depends on their number.

Source: J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002 (the bit error rate);
A. Wang, "An Industrial-Strength Audio Search Algorithm", ISMIR 2003 (offsets from an index).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serkit.audio.fingerprint import SECONDS_PER_WORD, WordArray, unpack

Indices = NDArray[np.int64]

_MARGIN = 128  # words on either side of an agreement that are compared: 4 s
_MIN_WORDS = 12
_AGREEMENT = 0.24  # most that the share of bits that differ, plus _DOUBT / sqrt(words), may be
_DOUBT = 0.55
_LENGTH_OF_RUN = 8  # words at which a candidate is first looked at
_RUN_ERRORS = 0.30
_SLOPES = (0.0, -0.01, 0.01, -0.02, 0.02)
_MOST_PER_WORD = 64  # agreements of one word in one table, so that a sound in every clip costs little
_CHUNK = 1 << 20
_POPULATION = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)
# bits of a word, and of the one two later, that make the key of a table
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


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of many codes in a row, with silence before and after each."""

    names: tuple[str, ...]
    words: WordArray  # (N,)
    owners: NDArray[np.int32]  # (N,): the code of each word
    starts: Indices  # (codes,): the place of each code's first word

    @classmethod
    def of(cls, codes: Mapping[str, bytes]) -> "_Words":
        names = tuple(sorted(codes))
        gap = np.zeros(1, np.uint16)
        parts: list[WordArray] = [gap]
        for name in names:
            parts += [unpack(codes[name]), gap]
        lengths = np.array([len(part) + 1 for part in parts[1::2]], np.int64)
        owners = np.repeat(np.arange(len(names)), lengths)
        starts = 1 + np.cumsum(lengths) - lengths
        return cls(names, np.concatenate(parts), np.concatenate([[-1], owners]).astype(np.int32), starts)


def near_duplicates(codes: Mapping[str, bytes]) -> list[NearDuplicate]:
    """Find recordings of one collection that share sound.

    Args:
        codes: Fingerprint of each recording by its name; excerpts are allowed.

    Returns:
        Each pair once, the names of a pair in order, sorted by them.

    Raises:
        ValueError: If a code is damaged.
    """
    words = _Words.of(codes)
    return _matches(words, words)


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
    return _matches(_Words.of(codes), _Words.of(others))


def _matches(ours: _Words, theirs: _Words) -> list[NearDuplicate]:
    found: dict[tuple[int, int], tuple[float, float, int]] = {}
    seen = np.empty(0, np.int64)
    for here, there in _agreements(ours, theirs):
        near = _agree_nearby(ours.words, theirs.words, here, there)
        places = _candidates(ours, theirs, here[near], there[near])
        keys, first = np.unique(places, return_index=True)
        new = ~np.isin(keys, seen, assume_unique=True)
        seen = np.union1d(seen, keys[new])
        chosen = np.flatnonzero(near)[first[new]]
        for a, b, rate, count in _accepted(ours, theirs, here[chosen], there[chosen]):
            grade = rate + _DOUBT / np.sqrt(count)
            if (a, b) not in found or grade < found[a, b][0]:
                found[a, b] = grade, rate, count
    pairs = [
        NearDuplicate(ours.names[a], theirs.names[b], _similarity(rate), round(count * SECONDS_PER_WORD, 3))
        for (a, b), (_, rate, count) in found.items()
    ]
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def _similarity(rate: float) -> float:
    """Return the similarity for a share of bits that differ."""
    return round(max(0.0, 1 - 2 * rate), 4)


def _candidates(ours: _Words, theirs: _Words, here: Indices, there: Indices) -> Indices:
    """Return a number for each pair of codes and offset between them, within 8 hours."""
    offsets = (there - theirs.starts[theirs.owners[there]]) - (here - ours.starts[ours.owners[here]])
    return (ours.owners[here].astype(np.int64) << 42) + (theirs.owners[there].astype(np.int64) << 21) + offsets


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
        ends = np.cumsum(counts)
        cuts = np.searchsorted(ends, np.arange(0, int(ends[-1]) if len(ends) else 0, _CHUNK), "left")
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
    """Return the keys of words that no silence follows, in order, and the places of the words."""
    places = np.flatnonzero((words[:-2] != 0) & (words[2:] != 0) & (words[1:-1] != 0))
    keys = ((words[places] & low).astype(np.uint64) << np.uint64(16)) | (words[places + 2] & high)
    both = np.sort((keys << np.uint64(32)) | places.astype(np.uint64))
    return (both >> np.uint64(32)).astype(np.uint32), (both & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _agree_nearby(ours: WordArray, theirs: WordArray, here: Indices, there: Indices) -> NDArray[np.bool_]:
    """Return which agreements hold for the words around them, too."""
    errors = np.zeros(len(here), np.int32)
    valid = np.zeros(len(here), np.int32)
    for step in range(-_LENGTH_OF_RUN // 2 + 1, _LENGTH_OF_RUN // 2 + 1):
        a, b = ours.take(here + step, mode="clip"), theirs.take(there + step, mode="clip")
        both = (a != 0) & (b != 0)
        errors += _POPULATION[a ^ b] * both
        valid += both
    return errors <= _RUN_ERRORS * 16 * valid


def _accepted(ours: _Words, theirs: _Words, here: Indices, there: Indices) -> Iterator[tuple[int, int, float, int]]:
    """Yield the two codes, the share of bits that differ, and the number of words of each candidate that passes."""
    steps = np.arange(-_MARGIN, _MARGIN + 1)
    for begin in range(0, len(here), 4096):
        a_places, b_places = here[begin : begin + 4096], there[begin : begin + 4096]
        a_owners, b_owners = ours.owners[a_places], theirs.owners[b_places]
        at = np.clip(a_places[:, None] + steps, 0, len(ours.words) - 1)
        a = np.where(ours.owners[at] == a_owners[:, None], ours.words[at], 0)
        for slope in _SLOPES:
            at = b_places[:, None] + np.rint(steps * (1 + slope)).astype(np.int64)
            at = np.clip(at, 0, len(theirs.words) - 1)
            b = np.where(theirs.owners[at] == b_owners[:, None], theirs.words[at], 0)
            both = (a != 0) & (b != 0)
            counts = both.sum(axis=1)
            rates = (_POPULATION[a ^ b] * both).sum(axis=1) / np.maximum(16 * counts, 1)
            passed = (counts >= _MIN_WORDS) & (rates + _DOUBT / np.sqrt(np.maximum(counts, 1)) < _AGREEMENT)
            for one in np.flatnonzero(passed):
                yield int(a_owners[one]), int(b_owners[one]), float(rates[one]), int(counts[one])
