"""Divides utterances at random within each class, keeping recordings whole. The parts share speakers."""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from serkit.lab.splits.recording_groups import Sounds, recordings
from serkit.types import Utterance


def deal(utterances: Iterable[Utterance], parts: int, sounds: Sounds, rng: np.random.Generator) -> dict[str, int]:
    """Deal utterances to parts of equal size.

    Args:
        utterances: Utterances in any order.
        parts: Number of parts.
        sounds: What is known about the sound of the utterances.
        rng: Generator that shuffles within each class.

    Returns:
        Number of the part, by utterance id.
    """
    return {i: place % parts for place, ids in enumerate(_shuffled(utterances, sounds, rng)) for i in ids}


def draw_share(utterances: Iterable[Utterance], share: float, sounds: Sounds, rng: np.random.Generator) -> set[str]:
    """Draw a share of the recordings, spread evenly over the classes.

    Args:
        utterances: Utterances in any order.
        share: Share of all recordings to draw, above 0 and below 1. The number of recordings is rounded up, as in
            scikit-learn's ``train_test_split``.
        sounds: What is known about the sound of the utterances.
        rng: Generator that shuffles within each class.

    Returns:
        Ids of the drawn utterances.
    """
    shuffled = _shuffled(utterances, sounds, rng)
    wanted = math.ceil(share * len(shuffled) - 1e-9)
    places = {int(k / share + 1e-9) for k in range(wanted)}  # evenly spaced, so that each class gives its share
    return {i for place, ids in enumerate(shuffled) if place in places for i in ids}


def _shuffled(utterances: Iterable[Utterance], sounds: Sounds, rng: np.random.Generator) -> list[list[str]]:
    """Return the utterance ids of each recording, ordered by class and shuffled within each class."""
    in_order = sorted(utterances, key=lambda u: u.id)
    recording_of = recordings(in_order, sounds)
    emotion_of = {u.id: u.emotion for u in in_order}
    ids_of: dict[str, list[str]] = defaultdict(list)
    for u in in_order:
        ids_of[recording_of[u.id]].append(u.id)
    names = list(ids_of)  # sorted, because a recording is named by its first id
    order = sorted(rng.permutation(len(names)), key=lambda i: emotion_of[names[i]])
    return [ids_of[names[i]] for i in order]
