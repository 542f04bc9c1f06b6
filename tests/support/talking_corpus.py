"""A small corpus of speech-like sound as the user's own data, and a recipe for it."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import soundfile

from serkit.data.manifest import Manifest
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.types import FloatArray, Utterance
from support.talking import RATE, talk

EMOTIONS = ("anger", "sadness")
VOICES = {"ann": 210, "ben": 110, "cem": 130, "dee": 190}  # speakers and their pitch in Hz


def said(name: str, *, seconds: float = 2.5, pitch: float = 130.0) -> FloatArray:
    """Return a clip of speech-like sound at 16,000 Hz, shape (T,); every name gives another one."""
    return talk(zlib.crc32(name.encode()), seconds=seconds, pitch=pitch)


def talking_corpus(folder: Path, name: str, speakers: Mapping[str, int], *, clips: int = 4) -> Manifest:
    """Write a corpus: speakers to their pitch; half of the clips have one emotion, half the other."""
    folder.mkdir(parents=True, exist_ok=True)
    utterances = []
    for speaker, pitch in speakers.items():
        for n in range(clips):
            path = f"{speaker}-{n}.wav"
            soundfile.write(folder / path, said(f"{name}/{path}", pitch=pitch), RATE)
            utterances.append(
                Utterance(
                    id=f"{name}/{speaker}-{n}", path=path, corpus=name, speaker=f"{name}/{speaker}",
                    emotion=EMOTIONS[n % 2],
                )
            )  # fmt: skip
    return Manifest(tuple(utterances), {name: folder})


def toy_recipe(**changes: object) -> Recipe:
    """Return a recipe that a laptop runs in a second, with changes to its top-level keys."""
    content = {
        "name": "toy-2fold-logistic", "corpora": ["toy"], "labels": list(EMOTIONS),
        "protocol": {"folds": 2, "validation": "none"}, "model": "logistic", "features": ["prosody"], "augment": {},
    }  # fmt: skip
    return parse_recipe(content | changes)
