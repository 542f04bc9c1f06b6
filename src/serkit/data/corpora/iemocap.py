"""IEMOCAP: ten American actors in five sessions of two, in scripted and improvised scenes.

A label is the emotion that most listeners heard, from ``Session*/dialog/EmoEvaluation/*.txt``. Turns without a majority
(``xxx``) are left out and counted, which leaves 7532 of 10,039 turns (about 12 hours in all). The speaker is the
session and the letter of the turn: ``Ses01F_impro01_M003`` is spoken by the man of session 1. The first letter says who
wore the motion capture markers; taking it for the speaker would put one voice on both sides of a split. The usual four
classes are the label set ``iemocap4``, which counts excitement as happiness.

The iemocap-coattention report used a preprocessed variant with spectrograms and MFCC in a format that is not public;
serkit computes both from the sound.
"""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import files_below, sound_files
from serkit.data.corpora.corpus_definition import Corpus, Reading, read_bytes, read_names
from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.types import LeftOut, Utterance

_EMOTIONS = EmotionMap(
    "IEMOCAP",
    1,
    {
        "ang": "anger",
        "dis": "disgust",
        "exc": "excitement",
        "fea": "fear",
        "fru": "frustration",
        "hap": "happiness",
        "neu": "neutral",
        "oth": "other",
        "sad": "sadness",
        "sur": "surprise",
    },
)
_NO_MAJORITY = "xxx"
_TURN = re.compile(r"(Ses0([1-5]))[FM]_((?:impro|script)\w*?)_([FM])(\d{3})", re.IGNORECASE)
_DIALOGUE = re.compile(r"Ses0[1-5][FM]_(?:impro|script)\w*", re.IGNORECASE)
_NUMBER = r"(-?\d+\.?\d*)"
_LINE = re.compile(
    rf"\[\s*{_NUMBER}\s*-\s*{_NUMBER}\s*\]\s+(\w+)\s+(\w+)\s+\[\s*{_NUMBER}\s*,\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\]"
)


def _labels(root: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Return turn to its label, and to valence, activation and dominance from 1 to 5, from all evaluation texts."""
    labels: dict[str, tuple[str, dict[str, str]]] = {}
    for text in files_below(root, lambda name: name.lower().endswith(".txt")):
        if text.parent.name.lower() != "emoevaluation":  # the folders in it hold the answers of single listeners
            continue
        for line in read_bytes(root / text, title="IEMOCAP").decode("latin-1").splitlines():
            if match := _LINE.match(line):
                _, _, turn, label, valence, activation, dominance = match.groups()
                labels[turn] = (label, {"valence": valence, "activation": activation, "dominance": dominance})
    return labels


def _utterance(turn: str, label: str, dimensions: dict[str, str]) -> Utterance | None:
    match = _TURN.fullmatch(turn)
    if match is None:
        return None
    session, number, scene, letter = match[1].capitalize(), match[2], match[3].lower(), match[4].upper()
    return Utterance(
        id=f"iemocap/{turn}",
        path="",
        corpus="iemocap",
        speaker=f"iemocap/{session}{letter}",
        sex="male" if letter == "M" else "female",
        language="en",
        emotion=_EMOTIONS[label],
        session=number,
        extra={"label": label, "scene": scene, "style": "improvised" if scene.startswith("impro") else "scripted"}
        | dimensions,
    )


def _from_id(turn: str) -> Utterance | None:
    """Return all but the emotion, which only the texts of the corpus tell."""
    found = _utterance(turn, "oth", {})
    return found and replace(found, emotion="")


def _read(root: Path) -> Reading:
    labels = {turn.lower(): (turn, *found) for turn, found in _labels(root).items()}
    files = {path: path.stem.lower() for path in sound_files(root)}
    if not labels and any(_TURN.fullmatch(path.stem) for path in files):
        raise CorpusError(
            f"{str(root)!r} holds the sound files of IEMOCAP, but not its labels, Session*/dialog/EmoEvaluation/*.txt: "
            "copy those too."
        )

    def parse(path: PurePosixPath) -> Utterance | str | None:
        if path.stem.lower() in labels:
            turn, label, dimensions = labels[path.stem.lower()]
            if label == _NO_MAJORITY:
                return "a turn without a majority among its listeners (xxx)"
            return _utterance(turn, label, dimensions)
        if _TURN.fullmatch(path.stem):
            return "a turn without a line in EmoEvaluation"
        return "a recording of a whole dialogue" if _DIALOGUE.fullmatch(path.stem) else None

    yield from read_names(root, parse)
    silent = sorted(labels.keys() - files.values())
    yield from (LeftOut(labels[turn][0], "a turn in EmoEvaluation whose sound file is missing") for turn in silent)


CORPUS = Corpus(
    name="iemocap",
    title="IEMOCAP",
    languages=("en",),
    emotions=_EMOTIONS,
    counts={
        "anger": 1103, "disgust": 2, "excitement": 1041, "fear": 40, "frustration": 1849,
        "happiness": 595, "neutral": 1708, "other": 3, "sadness": 1084, "surprise": 107,
    },
    speakers=10,
    hours=None,
    license="LicenseRef-IEMOCAP-research",
    commercial=False,
    derivatives=True,
    citation="Busso et al., IEMOCAP: Interactive Emotional Dyadic Motion Capture Database, LREC 2008",
    url="https://sail.usc.edu/iemocap/",
    read=_read,
    from_id=_from_id,
    folders=("IEMOCAP_full_release",),
)  # fmt: skip
