"""The environment of a run: what its data lacks, and the machine and versions that it is computed with."""

import logging
import platform
from collections import Counter
from typing import Any

import numpy as np
import torch

from serkit.data.corpora import corpus_of
from serkit.data.manifest import Manifest
from serkit.labels import COMMON, LabelSet
from serkit.version import __version__

_log = logging.getLogger(__name__)


def log_what_is_missing(everything: Manifest, labels: LabelSet, dropped: Counter[str]) -> None:
    """Log what differs from the official releases, what was not read, and what the label set leaves out."""
    for name, found in Counter(u.corpus for u in everything).items():
        official = corpus_of(name).utterances
        if official and found != official:
            _log.info(f"{name} has {found} utterances here, and {official} officially")
    for reason, count in sorted(everything.left_out.items()):
        _log.info(f"{count} files were not read: {reason}")
    if labels.name == COMMON:
        _log.info(f"label set {labels.name}: {', '.join(labels.classes)}, {labels.why}")
    for emotion, count in sorted(dropped.items()):
        _log.info(f"label set {labels.name} leaves out {count} utterances of {emotion}")
    heard = {labels.classes[labels.index(u.emotion)] for u in everything.select(labels)[0]}
    for name in labels.classes:
        if name not in heard:
            _log.info(f"label set {labels.name} has the class {name}, of which there is no utterance")


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
