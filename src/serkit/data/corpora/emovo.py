"""EMOVO: six Italian actors speak 14 sentences in seven emotions.

A file name holds the emotion, the actor and the sentence, ``f1/dis-f1-b1.wav``. Women are ``f1`` to ``f3``, men are
``m1`` to ``m3``. Five of the sentences, ``n1`` to ``n5``, have no meaning. All actors speak all sentences in all
emotions, so a model can meet its test sentences in training; hold sentences out where that matters.

The sentences and the ages are those of EmoBox's reader of EMOVO, and its list of files has all 588 names of the scheme.
We found no license by the authors: a mirror (DagsHub) says that research is allowed and names the authors for
questions. The original page, voice.fub.it, is often out of reach.
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "EMOVO",
    1,
    {
        "dis": "disgust",
        "gio": "happiness",
        "neu": "neutral",
        "pau": "fear",
        "rab": "anger",
        "sor": "surprise",
        "tri": "sadness",
    },
)
_AGES = {"f1": "28", "f2": "23", "f3": "25", "m1": "30", "m2": "27", "m3": "30"}
_SENTENCES = ("b1", "b2", "b3", "d1", "d2", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5")
_NAME = re.compile(rf"([a-z]{{3}})-([fm][1-3])-({'|'.join(_SENTENCES)})", re.IGNORECASE)


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    label, speaker, sentence = path.stem.lower().split("-")
    return Utterance(
        id=f"emovo/{label}-{speaker}-{sentence}",
        path="",
        corpus="emovo",
        speaker=f"emovo/{speaker}",
        sex="female" if speaker.startswith("f") else "male",
        language="it",
        emotion=_EMOTIONS[label],
        sentence=f"emovo/{sentence}",
        extra={"label": label, "age": _AGES[speaker]},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


def _official() -> list[Utterance]:
    return official_list(_parse, map("-".join, product(_EMOTIONS, _AGES, _SENTENCES)))


CORPUS = Corpus(
    name="emovo",
    title="EMOVO",
    languages=("it",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 84),
    speakers=6,
    hours=0.5,
    license="LicenseRef-EMOVO-unstated",
    commercial=None,
    derivatives=None,
    citation="Costantini et al., EMOVO Corpus: an Italian Emotional Speech Database, LREC 2014",
    url="https://aclanthology.org/L14-1478/",
    read=_read,
    official=_official,
)
