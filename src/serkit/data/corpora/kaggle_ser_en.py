"""The merged folder of Kaggle: CREMA-D, RAVDESS, SAVEE and TESS side by side, used by the hong-zhao report.

``Crema/``, ``Ravdess/``, ``Savee/`` and ``Tess/`` are read by their own modules, so ids and speakers are the same: an
experiment on this folder equals one on ``crema-d, ravdess, savee, tess``. The four folders may lie at any depth, for
example below a folder that an archive was unpacked to. The data of the fusionnet report is a part of it. It has 12,162
utterances of 57 women and 64 men.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES, sound_files
from serkit.data.corpora import crema_d, ravdess, savee, tess
from serkit.data.corpora.corpus_definition import Corpus
from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.types import LeftOut, Utterance

_PARTS = {
    "crema": crema_d.CORPUS,
    "ravdess": ravdess.CORPUS,
    "savee": savee.CORPUS,
    "tess": tess.CORPUS,
}
_OUTSIDE = "a sound file outside the four folders"


def _folders(root: Path, sounds: list[PurePosixPath]) -> dict[str, PurePosixPath]:
    """Return the four folders that lie side by side; where there are several sets of four, those nearest to the root.

    Raises:
        CorpusError: If no four folders lie side by side.
    """
    side_by_side: dict[PurePosixPath, dict[str, PurePosixPath]] = defaultdict(dict)
    for path in sounds:
        for folder in path.parents:
            if folder.name.lower() in _PARTS:
                side_by_side[folder.parent].setdefault(folder.name.lower(), folder)
    nearest_first = sorted(side_by_side, key=lambda folder: len(folder.parts))
    found = max((side_by_side[folder] for folder in nearest_first), key=len, default={})
    if missing := [name.title() for name in _PARTS if name not in found]:
        raise CorpusError(f"{str(root)!r} is not the merged folder: it has no sound files in {', '.join(missing)}.")
    return found


def _read(root: Path) -> Iterator[Utterance | LeftOut]:
    sounds = list(sound_files(root, AUDIO_SUFFIXES + VIDEO_SUFFIXES))
    folders = _folders(root, sounds)
    for name, corpus in _PARTS.items():
        for item in corpus.read(root / folders[name]):
            yield replace(item, path=(folders[name] / item.path).as_posix())
    read = set(folders.values())
    yield from (LeftOut(path.as_posix(), _OUTSIDE) for path in sounds if read.isdisjoint(path.parents))


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
    speakers=sum(corpus.speakers or 0 for corpus in _PARTS.values()),
    hours=round(sum(corpus.hours or 0 for corpus in _PARTS.values()), 2),
    license=" AND ".join(dict.fromkeys(corpus.license for corpus in _PARTS.values())),
    commercial=all(corpus.commercial for corpus in _PARTS.values()),
    derivatives=all(corpus.derivatives for corpus in _PARTS.values()),
    citation="; ".join(corpus.citation for corpus in _PARTS.values()),
    url="https://www.kaggle.com/datasets/dmitrybabko/speech-emotion-recognition-en",
    read=_read,
    official=_official,
    oddities={name: why for corpus in _PARTS.values() for name, why in corpus.oddities.items()},
    faulty=frozenset().union(*(corpus.faulty for corpus in _PARTS.values())),
    parts=tuple(corpus.name for corpus in _PARTS.values()),
    folders=("speech-emotion-recognition-en",),
)
