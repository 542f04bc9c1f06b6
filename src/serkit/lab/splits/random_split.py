"""Random divisions of utterances, class by class, where a recording stays whole. They share speakers."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from serkit.lab.splits.leakage import recordings
from serkit.types import Utterance


def deal(
    utterances: Iterable[Utterance], parts: int, digests: Mapping[str, str], rng: np.random.Generator
) -> dict[str, int]:
    """Deal utterances to parts of one size.

    Args:
        utterances: In any order.
        parts: How many.
        digests: Utterance id to the digest of its decoded audio.
        rng: Shuffles within each class.

    Returns:
        Utterance id to the number of its part.
    """
    return {i: place % parts for place, ids in enumerate(_shuffled(utterances, digests, rng)) for i in ids}


def draw_share(
    utterances: Iterable[Utterance], share: float, digests: Mapping[str, str], rng: np.random.Generator
) -> set[str]:
    """Draw a share of utterances, spread evenly over the classes.

    Args:
        utterances: In any order.
        share: Of all recordings, above 0 and below 1. What is drawn is rounded up to whole ones, as scikit-learn's
            ``train_test_split`` does.
        digests: Utterance id to the digest of its decoded audio.
        rng: Shuffles within each class.

    Returns:
        The ids.
    """
    shuffled = _shuffled(utterances, digests, rng)
    wanted = math.ceil(share * len(shuffled) - 1e-9)
    places = {int(k / share + 1e-9) for k in range(wanted)}  # evenly, so that every class gives its share
    return {i for place, ids in enumerate(shuffled) if place in places for i in ids}


def _shuffled(utterances: Iterable[Utterance], digests: Mapping[str, str], rng: np.random.Generator) -> list[list[str]]:
    """Return the ids of each recording, class by class, shuffled within each class."""
    in_order = sorted(utterances, key=lambda u: u.id)
    recording_of = recordings(in_order, digests)
    emotion_of = {u.id: u.emotion for u in in_order}
    ids_of: dict[str, list[str]] = defaultdict(list)
    for u in in_order:
        ids_of[recording_of[u.id]].append(u.id)
    names = list(ids_of)  # sorted, as each is the first of its ids
    order = sorted(rng.permutation(len(names)), key=lambda i: emotion_of[names[i]])
    return [ids_of[names[i]] for i in order]
