"""The environment of a run: what its data lacks, and the machine and versions that it is computed with."""

import logging
import platform
from collections import Counter
from collections.abc import Mapping, Sized
from typing import Any

import numpy as np
import torch

from serkit.data.corpora import corpus_of
from serkit.data.corpora.corpus_definition import FAULTY
from serkit.data.manifest import Manifest
from serkit.labels import COMMON, LabelSet
from serkit.version import __version__

_log = logging.getLogger(__name__)


def log_what_is_missing(everything: Manifest, labels: LabelSet, dropped: Counter[str]) -> None:
    """Log what differs from the official releases, what was not read, and what the label set leaves out."""
    for name, kept in Counter(u.corpus for u in everything).items():
        official = corpus_of(name).utterances
        found = kept + sum(n for reason, n in everything.left_out.items() if reason.startswith(f"{name}: {FAULTY}"))
        if official and found != official:
            _log.info(f"{name} has {found} utterances here, and {official} officially")
    for reason, count in sorted(everything.left_out.items()):
        corpus, is_faulty, why = reason.partition(f": {FAULTY}")
        if is_faulty:
            _log.info(f"{count} utterances of {corpus} are left out as faulty: {why}")
        else:
            _log.info(f"{count} files were not read: {reason}")
    if labels.name == COMMON:
        _log.info(f"label set {labels.name}: {', '.join(labels.classes)}, {labels.why}")
    for emotion, count in sorted(dropped.items()):
        _log.info(f"label set {labels.name} leaves out {count} utterances of {emotion}")
    heard = {labels.classes[labels.index(u.emotion)] for u in everything.select(labels)[0]}
    for name in labels.classes:
        if name not in heard:
            _log.info(f"label set {labels.name} has the class {name}, of which there is no utterance")


def log_what_is_learned(manifest: Manifest, nameless: Mapping[str, int], votes: Sized) -> None:
    """Log which speakers without a name are left out, and how many utterances have soft targets."""
    for name, count in nameless.items():
        _log.info(f"{count} utterances of {name} are left out: named speakers of the same corpus may speak in them")
    if len(votes):
        _log.info(f"targets: votes for {len(votes)} of {len(manifest)} utterances; the others keep their label")


def environment(threads: int) -> dict[str, Any]:
    """Return the content of ``env.json`` about versions and hardware.

    Args:
        threads: Threads of each process that fits.
    """
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {
        "serkit": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "threads": threads,
        **gpu,
    }
