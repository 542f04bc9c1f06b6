"""The acoustic fingerprints on a model's card, by which a test of the model file recognizes its training recordings.

A card holds fingerprints of as many utterances as fit into 256 kB, taken from all speakers in turn: 1,400 utterances of
3 s or more. They suffice to find out that a test corpus, or a speaker, was trained on: of twenty clips of a model with
6,400 training clips, one at least is found with a probability of 99 %.
"""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from serkit.audio.fingerprint import excerpt, unpack
from serkit.data.fingerprint_cache import as_text
from serkit.data.fingerprint_file import BySpeaker, read_fingerprints

MOST_BYTES = 262_144


def fingerprints_for_card(runs: Sequence[Path], utterances: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the fingerprints for the card of a model.

    Args:
        runs: Run folder of the model, and those of its first trainings.
        utterances: Ids of all training and validation utterances.

    Returns:
        Speaker to excerpts as base64; empty if the runs hold no fingerprints.
    """
    known: dict[str, dict[str, bytes]] = {}
    for run in runs:
        for speaker, codes in read_fingerprints(run).items():
            own = known.setdefault(speaker, {})
            own |= {name: code for name, code in codes.items() if name in utterances}
    return some_excerpts(known)


def some_excerpts(known: BySpeaker, most_bytes: int = MOST_BYTES) -> dict[str, tuple[str, ...]]:
    """Return excerpts of fingerprints from all speakers in turn, up to a size; the same for the same content."""
    queues = {speaker: sorted(codes.items(), key=_order) for speaker, codes in sorted(known.items()) if codes}
    in_turn = sorted((turn, speaker) for speaker, codes in queues.items() for turn in range(len(codes)))
    found: dict[str, list[str]] = {speaker: [] for speaker in queues}
    size = 0
    for turn, speaker in in_turn:
        part = excerpt(queues[speaker][turn][1])
        size += len(part)
        if size > most_bytes:
            break
        if unpack(part).any():  # a silent clip has nothing to compare
            found[speaker].append(as_text(part))
    return {speaker: tuple(codes) for speaker, codes in found.items() if codes}


def _order(item: tuple[str, bytes]) -> bytes:
    """Order utterances independently of emotion, sentence and length, which their ids often begin with."""
    return hashlib.sha256(item[0].encode()).digest()
