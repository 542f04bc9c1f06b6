"""What a protocol makes: folds of utterance ids, what can be said of them, and how they are written down."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serkit.data.manifest import Manifest


@dataclass(frozen=True)
class Fold:
    """Utterance ids, sorted, of the three parts of one fold.

    Attributes:
        fold: Its number.
        train: What weights are fitted on.
        validation: What epochs, calibration and settings are chosen on.
        test: What is scored.
        draw: Which draw of training and validation speakers this is, where a protocol has several for each test side.
    """

    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    draw: int = 0


@dataclass(frozen=True)
class Split:
    """All folds of a protocol, and what can be said of it.

    Attributes:
        protocol: Its name.
        is_speaker_independent: Whether no test speaker is ever trained on.
        validation: What validation was taken from: ``speakers``, ``sentences``, ``random`` or ``none``.
        folds: In order; of several draws, all of the first come first.
    """

    protocol: str
    is_speaker_independent: bool
    validation: str
    folds: tuple[Fold, ...]

    @property
    def draws(self) -> int:
        """How many draws of the training side there are."""
        return 1 + max((fold.draw for fold in self.folds), default=0)

    def of_seed(self, seed: int) -> tuple[Fold, ...]:
        """Return the folds that a seed is fitted on: seeds take the draws in turn."""
        return tuple(fold for fold in self.folds if fold.draw == seed % self.draws)

    @property
    def digest(self) -> str:
        """SHA-256 over all ids of all folds."""
        text = json.dumps([[f.train, f.validation, f.test] for f in self.folds])
        return hashlib.sha256(text.encode()).hexdigest()


def folds_as_json(split: Split, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the content of ``folds.json``: per fold and part its utterances and speakers."""
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
