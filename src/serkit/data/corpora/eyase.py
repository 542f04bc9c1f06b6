"""EYASE: three actresses and three actors in an Egyptian television series, in four emotions.

``Female01/fm01_ang (1).wav`` lies in the folder of its speaker; the name repeats the speaker, and has the emotion and
the number of the clip. Some copies lack the space. In one flat folder, the first letter of the name says the sex: how
the release spells the names of men is not published, so any name that begins with m is taken for a man's.

The clips are cut from scenes, so no sentence recurs by design. Neither a page of the authors nor a license was found;
copies go round on Google Drive and Kaggle.

Folders, names, and the 579 clips with their emotions: projects that use the corpus; one of them counts 499 clips.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, read_names
from serkit.labels import EmotionMap
from serkit.types import Sex, Utterance

_EMOTIONS = EmotionMap("EYASE", 1, {"ang": "anger", "hap": "happiness", "neu": "neutral", "sad": "sadness"})
_NAME = re.compile(r"([fm])[a-z]{0,5}0?([1-3])_([a-z]{3}) ?\(0*(\d+)\)")
_FOLDER = re.compile(r"([fm])(?:emale|ale)?[ _-]?0?([1-3])")
_SEXES: dict[str, Sex] = {"f": "female", "m": "male"}
_DISAGREE = "a clip whose folder and name tell two speakers"


def _parse(path: PurePosixPath) -> Utterance | str | None:
    match = _NAME.fullmatch(path.stem.lower())
    if match is None:
        return None
    letter, number, label, clip = match.groups()
    folder = _FOLDER.fullmatch(path.parent.name.lower())
    if folder and folder.groups() != (letter, number):
        return _DISAGREE
    speaker = f"{_SEXES[letter].capitalize()}0{number}"
    return Utterance(
        id=f"eyase/{speaker}_{label}_{clip}",
        path="",
        corpus="eyase",
        speaker=f"eyase/{speaker}",
        sex=_SEXES[letter],
        language="ar",
        emotion=_EMOTIONS[label],
        extra={"label": label},
    )


def _from_id(name: str) -> Utterance | None:
    match = re.fullmatch(r"(Female|Male)0([1-3])_([a-z]{3})_([1-9]\d*)", name)
    found = match and _parse(PurePosixPath(f"{match[1][0]}0{match[2]}_{match[3]} ({match[4]}).wav"))
    return found if isinstance(found, Utterance) else None


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


CORPUS = Corpus(
    name="eyase",
    title="EYASE",
    languages=("ar",),
    emotions=_EMOTIONS,
    counts={"anger": 150, "happiness": 132, "neutral": 150, "sadness": 147},
    speakers=6,
    hours=None,
    license="LicenseRef-EYASE-unstated",
    commercial=None,
    derivatives=None,
    citation="Abdel-Hamid, Egyptian Arabic Speech Emotion Recognition Using Prosodic, Spectral and Wavelet Features, "
    "Speech Communication 2020",
    url="https://doi.org/10.1016/j.specom.2020.04.005",
    read=_read,
    from_id=_from_id,
)
