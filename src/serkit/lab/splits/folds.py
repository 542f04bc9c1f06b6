"""The folds that a protocol makes, and the content of ``folds.json``."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serkit.data.manifest import Manifest

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Fold:
    """One fold: sorted utterance ids of its three parts.

    Attributes:
        fold: Number of the fold.
        train: Utterances that weights are fitted on.
        validation: Utterances that epochs, calibration and settings are chosen on.
        test: Utterances that are scored.
        draw: Number of the draw of training and validation speakers, for a protocol with several draws per test part.
    """

    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    draw: int = 0


@dataclass(frozen=True)
class Split:
    """All folds of a protocol.

    Attributes:
        protocol: Name of the protocol.
        is_speaker_independent: Whether no test speaker is trained on.
        validation: Units that validation parts were drawn by: ``speakers``, ``sentences``, ``random`` or ``none``.
        folds: Folds in order. With several draws, all folds of the first draw come first.
    """

    protocol: str
    is_speaker_independent: bool
    validation: str
    folds: tuple[Fold, ...]

    @property
    def draws(self) -> int:
        """Number of draws of the training side."""
        return 1 + max((fold.draw for fold in self.folds), default=0)

    def of_seed(self, seed: int) -> tuple[Fold, ...]:
        """Return the folds that a seed is fitted on: seeds take the draws in turn."""
        return tuple(fold for fold in self.folds if fold.draw == seed % self.draws)

    @property
    def digest(self) -> str:
        """SHA-256 of the utterance ids of all folds."""
        return _digest([[f.train, f.validation, f.test] for f in self.folds])


def folds_as_json(split: Split, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the content of ``folds.json``: utterances and speakers of each part of each fold."""
    speaker_of = {u.id: u.speaker for u in manifest}

    def part(ids: Sequence[str]) -> dict[str, list[str]]:
        return {"speakers": sorted({speaker_of[i] for i in ids}), "utterances": list(ids)}

    return [
        {
            "fold": f.fold, **({"draw": f.draw} if split.draws > 1 else {}),
            "train": part(f.train), "validation": part(f.validation), "test": part(f.test),
        }
        for f in split.folds
    ]  # fmt: skip


def digest_of_folds(folds: Sequence[Mapping[str, Any]]) -> str:
    """Return the digest of the content of ``folds.json``; it equals :attr:`Split.digest` of the same split.

    A part of which only speakers are known, as from the card of a finished model, counts by its speakers.
    """
    return _digest([[fold[part]["utterances"] or fold[part]["speakers"] for part in PARTS] for fold in folds])


def _digest(ids: Sequence[Sequence[Sequence[str]]]) -> str:
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()
