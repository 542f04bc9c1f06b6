"""AESDD, the Acted Emotional Speech Dynamic Database: Greek actors speak 20 utterances in five emotions.

A file name holds the emotion, the number of the utterance and the speaker, ``anger/a03 (4).wav``; a letter at the end
tells a second take, ``f18 (5)b.wav``. Some names write speaker 1 as 01. There is no neutral speech.

The database grows: the first release, of 2017, had five speakers, three women and two men, in about 500 utterances,
and later ones add speakers under new numbers. ``counts`` has the 605 files of a copy of 2021, with six speakers;
EmoBox's list of 2024 has one of sadness less, since ``s05 (3)`` is a WAV file without data, as several users report.
One utterance of each speaker and emotion is improvised, and the scheme does not say which; the number is the
``sentence`` here.

The sources disagree on the sexes: two readers of the corpus make speakers 1, 3 and 5 men, or 3, 4 and 6, and only the
second agrees with the authors' three women and two men. So no sex is given. We found no license by the authors; the
card of a copy on Hugging Face says CC-BY-4.0.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, id_parser, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "AESDD",
    1,
    {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"},
)
_NAME = re.compile(r"([a-z])(\d\d) ?\(0?([1-9]\d?)\)([a-z])?", re.IGNORECASE)
_UTTERANCES = range(1, 21)


def _parse(path: PurePosixPath) -> Utterance | str | None:
    match = _NAME.fullmatch(path.stem)
    if match is None or int(match[2]) not in _UTTERANCES:
        return None
    label, number, speaker, take = match[1].lower(), match[2], match[3], (match[4] or "").lower()
    emotion = _EMOTIONS[label]
    if path.parent.name.lower() in set(_EMOTIONS.values()) - {emotion}:
        return "in the folder of another emotion than its name's"
    return Utterance(
        id=f"aesdd/{label}{number} ({speaker}){take}",
        path="",
        corpus="aesdd",
        speaker=f"aesdd/{speaker}",
        language="el",
        emotion=emotion,
        sentence=f"aesdd/{number}",
        extra={"label": label} | ({"take": take} if take else {}),
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


CORPUS = Corpus(
    name="aesdd",
    title="AESDD",
    languages=("el",),
    emotions=_EMOTIONS,
    counts={"anger": 121, "disgust": 122, "fear": 120, "happiness": 119, "sadness": 123},
    speakers=6,
    hours=0.7,
    license="LicenseRef-AESDD-unstated",
    commercial=None,
    derivatives=None,
    citation="Vryzas et al., Speech Emotion Recognition for Performance Interaction, Journal of the Audio Engineering "
    "Society 2018",
    url="https://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    read=_read,
    from_id=id_parser(_parse),
    oddities={"aesdd/s05 (3)": "officially a WAV file without data"},
    faulty=frozenset({"aesdd/s05 (3)"}),
    folders=("Acted Emotional Speech Dynamic Database",),
)
