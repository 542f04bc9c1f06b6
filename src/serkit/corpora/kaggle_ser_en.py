"""The merged folder of Kaggle: CREMA-D, RAVDESS, SAVEE and TESS side by side, as document A used it.

``Crema/``, ``Ravdess/``, ``Savee/`` and ``Tess/`` are read by their own corpora, and the utterances are theirs, with
the same ids and speakers: an experiment on this folder and one on ``crema-d, ravdess, savee, tess`` are the same.
It is document B's superset: 12,162 utterances of 57 women and 64 men.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from serkit.corpora import crema_d, ravdess, savee, tess
from serkit.corpora.adapter import Corpus
from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.types import LeftOut, Utterance

_PARTS = {
    "Crema": crema_d.CORPUS,
    "Ravdess": ravdess.CORPUS,
    "Savee": savee.CORPUS,
    "Tess": tess.CORPUS,
}


def _read(root: Path) -> Iterator[Utterance | LeftOut]:
    folders = {folder.name.lower(): folder for folder in sorted(root.iterdir()) if folder.is_dir()}
    missing = [name for name in _PARTS if name.lower() not in folders]
    if missing:
        raise CorpusError(f"{str(root)!r} is not the merged folder: it has no {', '.join(missing)}.")
    for name, corpus in _PARTS.items():
        folder = folders[name.lower()]
        for item in corpus.read(folder):
            yield replace(item, path=f"{folder.name}/{item.path}")


def _official() -> list[Utterance]:
    return [u for corpus in _PARTS.values() if corpus.official for u in corpus.official()]


CORPUS = Corpus(
    name="kaggle-ser-en",
    title="Speech Emotion Recognition (en), the merged folder of Kaggle",
    languages=("en",),
    emotions=EmotionMap(
        "the merged folder", 1, {emotion: emotion for corpus in _PARTS.values() for emotion in corpus.counts}
    ),
    counts=sum((Counter(corpus.counts) for corpus in _PARTS.values()), Counter()),
    speakers=sum(corpus.speakers for corpus in _PARTS.values()),
    hours=round(sum(corpus.hours or 0 for corpus in _PARTS.values()), 2),
    licence=" AND ".join(dict.fromkeys(corpus.licence for corpus in _PARTS.values())),
    commercial=all(corpus.commercial for corpus in _PARTS.values()),
    derivatives=all(corpus.derivatives for corpus in _PARTS.values()),
    citation="; ".join(corpus.citation for corpus in _PARTS.values()),
    url="https://www.kaggle.com/datasets/dmitrybabko/speech-emotion-recognition-en",
    read=_read,
    official=_official,
    oddities={name: why for corpus in _PARTS.values() for name, why in corpus.oddities.items()},
    parts=tuple(corpus.name for corpus in _PARTS.values()),
    folders=("speech-emotion-recognition-en",),
)
