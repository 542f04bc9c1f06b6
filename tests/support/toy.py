"""Toy manifests and recipes for the lab's tests, small enough to train on within seconds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from serkit.data.manifest import Manifest
from serkit.lab.models.crnn import CrnnConfig
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.splits.recording_groups import Sounds
from serkit.types import Sex, Utterance

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
TINY = {"name": "crnn", **json.loads(json.dumps(asdict(CrnnConfig.tiny())))}  # lists, as YAML has them
PLAIN = {"speeds": [1.0], "band_masks": 0, "frame_masks": 0, "mixup": 0.0}


def speaker(
    name: str, sex: Sex = "unknown", *, count: int = 4, sentences: Sequence[str] = ("1", "2")
) -> list[Utterance]:
    """Return utterances of one speaker, named ``corpus/speaker``, with emotions and sentences in turn."""
    corpus = name.split("/", maxsplit=1)[0]
    return [
        Utterance(
            id=f"{name}-{i:02d}", path=f"{name}-{i:02d}.wav", corpus=corpus, speaker=name, sex=sex,
            emotion=EMOTIONS[i % len(EMOTIONS)], sentence=sentences[i // len(EMOTIONS) % len(sentences)],
        )
        for i in range(count)
    ]  # fmt: skip


def manifest(*speakers: Sequence[Utterance]) -> Manifest:
    return Manifest(tuple(u for utterances in speakers for u in utterances))


def sounds(utterances: Manifest, same: Mapping[str, str] | None = None) -> Sounds:
    """Return a different digest for every utterance, except those in ``same``, which get their partner's."""
    return Sounds({u.id: (same or {}).get(u.id, u.id) for u in utterances})


def tiny_settings(**changes: Any) -> dict[str, Any]:
    """Return the settings of a two-fold recipe on synthetic RAVDESS, with changes merged into its mappings."""
    settings: dict[str, Any] = {
        "name": "ravdess-2fold-tiny",
        "corpora": ["ravdess"],
        "labels": "ravdess",
        "protocol": {"folds": 2},
        "augment": {"speeds": [1.0]},
        "model": TINY,
        "train": {"epochs": 1},
    }
    for name, value in changes.items():
        settings[name] = settings.get(name, {}) | value if isinstance(value, dict) else value
    if settings["protocol"].get("name", "speaker_kfold") not in ("speaker_kfold", "random"):
        settings["protocol"].pop("folds")
    return settings


def tiny_recipe(**changes: Any) -> Recipe:
    return parse_recipe(tiny_settings(**changes))
