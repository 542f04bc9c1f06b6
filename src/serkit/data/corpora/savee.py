"""SAVEE: four British men speak 15 sentences in each of six emotions and 30 neutral ones.

A file name holds the letters of an emotion and a number: ``AudioData/DC/a01.wav``, where the folder is the speaker, or
``DC_a01.wav`` in one folder. Some sentences recur in several emotions, but the numbers do not tell which: so a
``sentence`` here is shared between speakers only.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "SAVEE",
    1,
    {
        "a": "anger",
        "d": "disgust",
        "f": "fear",
        "h": "happiness",
        "n": "neutral",
        "sa": "sadness",
        "su": "surprise",
    },
)
_SPEAKERS = ("DC", "JE", "JK", "KL")
_NAME = re.compile(r"(?:([a-z]{2})_)?([a-z]{1,2})(\d\d)", re.IGNORECASE)


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker = (match[1] or path.parent.name).upper()
    if speaker not in _SPEAKERS:
        return None
    label, number = match[2].lower(), match[3]
    return Utterance(
        id=f"savee/{speaker}_{label}{number}",
        path="",
        corpus="savee",
        speaker=f"savee/{speaker}",
        sex="male",
        language="en",
        emotion=_EMOTIONS[label],
        sentence=f"savee/{label}{number}",
        extra={"label": label},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse, AUDIO_SUFFIXES + VIDEO_SUFFIXES)


def _official() -> list[Utterance]:
    return official_list(
        _parse,
        (
            f"{speaker}_{label}{number:02}"
            for speaker in _SPEAKERS
            for label in _EMOTIONS
            for number in range(1, 31 if label == "n" else 16)
        ),
    )


CORPUS = Corpus(
    name="savee",
    title="SAVEE",
    languages=("en",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 60) | {"neutral": 120},
    speakers=4,
    hours=0.51,
    license="LicenseRef-SAVEE-research",
    commercial=False,
    derivatives=True,
    citation="Haq & Jackson, Multimodal Emotion Recognition, in Machine Audition, IGI Global 2010",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    read=_read,
    official=_official,
    folders=("AudioData", "surrey-audiovisual-expressed-emotion-savee"),
)
