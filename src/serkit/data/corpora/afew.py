"""AFEW 4.0: film clips in seven emotions, with different actors in its training and validation parts.

The corpus is video, ``Train/Angry/000046280.avi``. Its sound, speech with music and noise under it, needs the
``[media]`` extra. The release does not name the speakers. No actor is in two parts, so each part counts as one speaker:
every speaker-independent protocol then keeps the published split, and none can split a part. The labels of the test
part are not public.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from serkit.data.corpora.corpus_definition import Corpus, Reading, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "AFEW",
    1,
    {
        "Angry": "anger",
        "Disgust": "disgust",
        "Fear": "fear",
        "Happy": "happiness",
        "Neutral": "neutral",
        "Sad": "sadness",
        "Surprise": "surprise",
    },
)
_LABELS = {label.lower(): label for label in _EMOTIONS}
_NAME = re.compile(r"\d{6,}(?:_\d+)?")
_PARTS = {"train": "train", "val": "validation", "test": "test"}


def _part(path: PurePosixPath) -> str:
    for folder in path.parts[:-1]:
        for start, part in _PARTS.items():
            if folder.lower().startswith(start):
                return part
    return "unknown"


def _parse(path: PurePosixPath) -> Utterance | str | None:
    if _NAME.fullmatch(path.stem) is None:
        return None
    part, folder = _part(path), path.parent.name
    if part == "test" and folder.lower() not in _LABELS:
        return "of the test part, whose labels are not public"
    if part == "unknown" and (folder.lower() not in _LABELS or path.suffix.lower() not in VIDEO_SUFFIXES):
        return None  # numbered sound files in folders of emotions also occur in other corpora
    label = _LABELS.get(folder.lower(), folder)
    return Utterance(
        id=f"afew/{part}_{label.lower()}_{path.stem}",
        path="",
        corpus="afew",
        speaker=f"afew/{part}",
        language="en",
        emotion=_EMOTIONS[label],
        split=part,
        extra={"label": label},
    )


def _from_id(name: str) -> Utterance | None:
    part, _, rest = name.partition("_")
    label, _, number = rest.partition("_")
    found = _parse(PurePosixPath(part, label, f"{number}.avi")) if label in _LABELS else None
    return found if isinstance(found, Utterance) else None


def _read(root: Path) -> Reading:
    return read_names(root, _parse, AUDIO_SUFFIXES + VIDEO_SUFFIXES)


CORPUS = Corpus(
    name="afew",
    title="AFEW",
    languages=("en",),
    emotions=_EMOTIONS,
    counts={
        "anger": 156, "disgust": 106, "fear": 113, "happiness": 171, "neutral": 167, "sadness": 145, "surprise": 103
    },
    speakers=2,
    hours=None,
    license="LicenseRef-AFEW-research",
    commercial=False,
    derivatives=True,
    citation="Dhall et al., Collecting Large, Richly Annotated Facial-Expression Databases from Movies, 2012",
    url="https://cs.anu.edu.au/few/AFEW.html",
    read=_read,
    from_id=_from_id,
    folders=("AFEW4.0", "AFEW_4.0"),
)  # fmt: skip
