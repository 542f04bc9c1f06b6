"""URDU: 400 clips of Urdu talk shows on television, in four emotions.

``Angry/SM1_F10_A010.wav`` is the tenth clip of man 1 and the tenth angry one. The number after the emotion follows a 0,
not a fixed width. The README speaks of 38 speakers, 27 men and 11 women; the files name 29, for SM8 to SM16 do not
occur. Talk is spontaneous, so no sentence recurs.

Beware of the speakers: only SM3, SM5 and SM6 speak in more than one emotion, and 72 of the 100 neutral clips are of
SM5, 48 angry ones of SM4. A model can tell the emotion by the voice, and a split by speaker leaves few emotions in a
fold. Clips with an odd number last 2 seconds and the next, even one 3 seconds; nobody says whether the two of a pair
overlap.

Names and README: github.com/siddiquelatif/URDU-Dataset; durations: the list of EmoBox.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap("URDU", 1, {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"})
_NAME = re.compile(r"S([MF])0*(\d+)_F0*(\d+)_([A-Z])0*(\d+)", re.IGNORECASE)
_CLIPS = {  # speakers of each emotion in the order of its numbers, and their clips
    "A": {"SM1": 22, "SM2": 28, "SM3": 2, "SM4": 48},
    "H": {
        "SF1": 12, "SF2": 2, "SF3": 2, "SF4": 4, "SF5": 4, "SF6": 14, "SF7": 6, "SF8": 2,
        "SM17": 2, "SM18": 2, "SM19": 2, "SM3": 2, "SM5": 8, "SM6": 10, "SM7": 28,
    },
    "N": {"SF9": 4, "SM20": 10, "SM21": 4, "SM22": 2, "SM3": 8, "SM5": 72},
    "S": {"SF10": 2, "SF11": 4, "SM23": 6, "SM24": 38, "SM25": 40, "SM26": 2, "SM27": 4, "SM6": 4},
}  # fmt: skip


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    letter, speaker, clip, label, number = match.groups()
    letter, label = letter.upper(), label.upper()
    return Utterance(
        id=f"urdu/S{letter}{speaker}_F{clip}_{label}0{number}",
        path="",
        corpus="urdu",
        speaker=f"urdu/S{letter}{speaker}",
        sex="male" if letter == "M" else "female",
        language="ur",
        emotion=_EMOTIONS[label],
        extra={"label": label},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


def _official() -> list[Utterance]:
    names = []
    for label, speakers in _CLIPS.items():
        clips = [(speaker, clip) for speaker, count in speakers.items() for clip in range(1, count + 1)]
        names += [f"{speaker}_F{clip}_{label}0{number}.wav" for number, (speaker, clip) in enumerate(clips, 1)]
    return official_list(_parse, names)


CORPUS = Corpus(
    name="urdu",
    title="URDU",
    languages=("ur",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 100),
    speakers=29,
    hours=0.28,
    license="LicenseRef-URDU-research",
    commercial=False,
    derivatives=None,
    citation="Latif et al., Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages, FIT 2018",
    url="https://github.com/siddiquelatif/URDU-Dataset",
    read=_read,
    official=_official,
    oddities={"urdu/SM1_F8_A08": "officially shorter than a second"},
    folders=("URDU-Dataset", "URDU-Dataset-master", "urdu-dataset"),
)
