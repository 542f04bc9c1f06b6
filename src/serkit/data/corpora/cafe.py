"""CaFE: six women and six men speak six Canadian French sentences in seven emotions and two intensities.

A file name holds actor, emotion, intensity and sentence, ``Colère/Fort/01-C-2-1.wav``. The letters are French: C is
anger (colère), D disgust, J joy, N neutral, P fear (peur), S surprise, T sadness (tristesse). Intensity 1 is mild
(faible), 2 is strong (fort). Odd actors are men; number 7 is 15 years old.

There are two releases of the same recordings. Neutral speech has one intensity, which the names of the 48 kHz release
write as 1, ``01-N-1-6.wav``, and those of the 192 kHz release leave out, ``01-N-6.aiff``. The 192 kHz release comes in
two archives; unpack both below one folder. Unpacking can garble the accents of the folders, so they are not read.

Scheme, ages and license are those of the read-me file of the archive; the names are checked against the list of
Nkululeko, a toolkit that reads CaFE.
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES
from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "CaFE",
    1,
    {
        "C": "anger",
        "D": "disgust",
        "J": "happiness",
        "N": "neutral",
        "P": "fear",
        "S": "surprise",
        "T": "sadness",
    },
)
_NEUTRAL = "N"
_INTENSITIES = {"1": "mild", "2": "strong"}
_AGES = {
    "01": "46", "02": "64", "03": "18", "04": "50", "05": "22", "06": "34", "07": "15", "08": "25", "09": "42",
    "10": "20", "11": "35", "12": "37",
}  # fmt: skip
_NAME = re.compile(r"(0[1-9]|1[0-2])-([A-Z])(?:-([12]))?-([1-6])", re.IGNORECASE)


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    actor, label, intensity, sentence = match[1], match[2].upper(), match[3], match[4]
    emotion = _EMOTIONS[label]
    if intensity not in (("1", None) if label == _NEUTRAL else _INTENSITIES):
        return None
    return Utterance(
        id=f"cafe/{actor}-{label}-{intensity or 1}-{sentence}",
        path="",
        corpus="cafe",
        speaker=f"cafe/{actor}",
        sex="male" if int(actor) % 2 else "female",
        language="fr",
        emotion=emotion,
        sentence=f"cafe/{sentence}",
        intensity="" if label == _NEUTRAL else _INTENSITIES[intensity],
        extra={"label": label, "age": _AGES[actor]},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse, (*AUDIO_SUFFIXES, ".aiff", ".aif"))


def _official() -> list[Utterance]:
    names = product(_AGES, _EMOTIONS, _INTENSITIES, "123456")
    return official_list(_parse, ("-".join(name) for name in names if name[1:3] != (_NEUTRAL, "2")))


CORPUS = Corpus(
    name="cafe",
    title="CaFE",
    languages=("fr",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 144) | {"neutral": 72},
    speakers=12,
    hours=1.2,
    license="CC-BY-NC-SA-4.0",
    commercial=False,
    derivatives=True,
    citation="Gournay, Lahaie & Lefebvre, A Canadian French Emotional Speech Dataset, ACM MMSys 2018",
    url="https://zenodo.org/records/1478765",
    read=_read,
    official=_official,
    folders=("CaFE_48k", "CaFE_192k"),
)
