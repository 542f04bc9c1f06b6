"""What a run says of its data and of the machine that it is computed on."""

import platform
from collections import Counter
from typing import Any

import numpy as np
import torch

from serkit.data.corpora import corpus_of
from serkit.data.manifest import Manifest
from serkit.labels import COMMON, LabelSet
from serkit.progress import Watch
from serkit.version import __version__


def say_what_is_missing(everything: Manifest, labels: LabelSet, dropped: Counter[str], watch: Watch) -> None:
    """Note what differs from the official releases, what was not read, and what the label set leaves out."""
    for name, found in Counter(u.corpus for u in everything).items():
        official = corpus_of(name).utterances
        if official and found != official:
            watch.note(f"{name} has {found} utterances here, and {official} officially")
    for reason, count in sorted(everything.left_out.items()):
        watch.note(f"{count} files were not read: {reason}")
    if labels.name == COMMON:
        watch.note(f"label set {labels.name}: {', '.join(labels.classes)}, {labels.why}")
    for emotion, count in sorted(dropped.items()):
        watch.note(f"label set {labels.name} leaves out {count} utterances of {emotion}")
    heard = {labels.classes[labels.index(u.emotion)] for u in everything.select(labels)[0]}
    for name in labels.classes:
        if name not in heard:
            watch.note(f"label set {labels.name} has {name}, and no utterance is of it")


def environment(threads: int) -> dict[str, Any]:
    """Return the versions and GPU of this process, for ``env.json``, beside the ``threads`` of each that fits."""
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
