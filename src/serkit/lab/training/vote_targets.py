"""Soft targets: the shares of the listeners' votes in place of one label."""

import hashlib
import json

import numpy as np

from serkit.data.listeners_votes import votes_of
from serkit.data.manifest import Manifest
from serkit.errors import ManifestError
from serkit.labels import LabelSet
from serkit.types import FloatArray


def vote_targets(manifest: Manifest, labels: LabelSet) -> dict[str, FloatArray]:
    """Return the shares (C,) of an utterance's votes that went to each class, by utterance id.

    Votes for emotions without a class are not counted. Utterances without any other vote are left out: they keep their
    label as target.

    Args:
        manifest: Utterances of the experiment.
        labels: Its label set.

    Raises:
        ManifestError: If no utterance has votes, or votes are not numbers.
    """
    found = {}
    for u in manifest:
        counts = np.zeros(len(labels.classes), np.float32)
        for emotion, count in votes_of(u).items():
            if labels.class_of(emotion) is not None:
                counts[labels.index(emotion)] += count
        if counts.any():
            found[u.id] = counts / counts.sum()
    if not found:
        raise ManifestError(
            f"targets: votes needs listeners' votes, and no utterance of {', '.join(manifest.corpora)} has one for "
            f"{', '.join(labels.classes)}: copy the tables of the release to its audio, or remove targets."
        )
    return found


def targets_digest(targets: dict[str, FloatArray]) -> str:
    """Return a digest of soft targets, by which a resumed run is known to be the same."""
    rows = sorted((name, [round(float(share), 6) for share in shares]) for name, shares in targets.items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
