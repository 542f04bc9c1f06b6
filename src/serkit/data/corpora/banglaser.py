"""BanglaSER: 34 Bangladeshi speakers speak three sentences three times in five emotions, into phones and laptops.

File names have the form of RAVDESS's, ``03-01-EE-II-SS-RR-AA``, but other codes of emotions; three begin with 01-01.
Odd speakers are men. The intensity follows from the emotion: anger and surprise are strong, the others normal. Seven
speakers have no neutral clips, which were added to an earlier release of four emotions.

Beware of neutral: the neutral clips of eleven speakers have another sampling rate or number of channels than all their
other clips, and in most speakers their pauses are softer, so a model can tell neutral by the recording in place of the
voice. See docs/CORPORA.md.

Nine clips of speaker 19 are recordings of speakers 13 or 16 too, so one of the two names is wrong: training and test
leave out both clips.
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "BanglaSER", 1, {"01": "happiness", "02": "sadness", "03": "anger", "04": "surprise", "05": "neutral"}
)
_NEUTRAL = "05"
_NAME = re.compile(r"0([13])-01-(\d\d)-(0[12])-(0[1-3])-(0[1-3])-(0[1-9]|[12]\d|3[0-4])")
_INTENSITIES = {"01": "01", "02": "01", "03": "02", "04": "02", "05": "01"}
_WORDS = {"01": "normal", "02": "strong"}
_SPEAKERS = tuple(f"{number:02}" for number in range(1, 35))
_WITHOUT_NEUTRAL = ("11", "12", "13", "16", "18", "20", "29")
_OTHER_START = {"04-02-03-01-15", "04-02-03-02-15", "04-02-03-03-15"}  # these names begin with 01-01

_TWO_SPEAKERS = """
    01-01-02-01-13 01-01-02-01-19 01-01-02-03-13 01-01-02-03-19 02-01-03-01-13 02-01-03-01-19 02-01-03-02-13
    02-01-03-02-19 02-01-03-03-13 02-01-03-03-19 04-02-02-01-13 04-02-02-01-19 04-02-02-02-13 04-02-02-02-19
    04-02-02-03-13 04-02-02-03-19 04-02-03-01-16 04-02-03-01-19
"""
_SAME_SAMPLES = "01-01-01-01-17 01-01-01-03-17 01-01-03-01-15 01-01-03-03-15"
_RECUT = """
    01-01-03-01-29 01-01-03-03-29 02-01-01-01-23 02-01-01-02-23 02-01-02-01-30 02-01-02-03-30 02-01-03-02-08
    02-01-03-03-08 03-02-01-01-02 03-02-01-02-02 03-02-01-03-02 03-02-03-02-05 03-02-03-03-05 03-02-03-02-32
    03-02-03-03-32 04-02-01-01-30 04-02-01-03-30 04-02-01-02-02 04-02-01-03-02 04-02-02-01-24 04-02-02-03-24
    04-02-02-02-11 04-02-02-03-11 05-01-01-01-05 05-01-01-03-05 05-01-01-02-32 05-01-01-03-32 05-01-02-01-03
    05-01-02-02-03 05-01-02-01-28 05-01-02-03-28
"""


def _oddities() -> dict[str, str]:
    clips = {
        "officially a recording that a clip of another speaker holds too": _TWO_SPEAKERS,
        "officially one of two clips with the same samples": _SAME_SAMPLES,
        "officially a recording that another clip holds too, cut or coded differently": _RECUT,
    }
    return {f"banglaser/03-01-{name}": why for why, names in clips.items() for name in names.split()} | {
        f"banglaser/{number}": "officially without neutral clips" for number in _WITHOUT_NEUTRAL
    }


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    start, label, intensity, sentence, repetition, speaker = match.groups()
    rest = path.stem[6:]
    if intensity != _INTENSITIES.get(label, intensity) or (start == "1") != (rest in _OTHER_START):
        return None
    return Utterance(
        id=f"banglaser/{path.stem}",
        path="",
        corpus="banglaser",
        speaker=f"banglaser/{speaker}",
        sex="male" if int(speaker) % 2 else "female",
        language="bn",
        emotion=_EMOTIONS[label],
        sentence=f"banglaser/{sentence}",
        intensity=_WORDS[intensity],
        extra={"label": label, "repetition": repetition},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


def _official() -> list[Utterance]:
    takes = product(_EMOTIONS, ("01", "02", "03"), ("01", "02", "03"), _SPEAKERS)
    rests = [
        f"{label}-{_INTENSITIES[label]}-{sentence}-{repetition}-{speaker}"
        for label, sentence, repetition, speaker in takes
        if not (label == _NEUTRAL and speaker in _WITHOUT_NEUTRAL)
    ]
    return official_list(_parse, (f"{'01' if rest in _OTHER_START else '03'}-01-{rest}" for rest in rests))


CORPUS = Corpus(
    name="banglaser",
    title="BanglaSER",
    languages=("bn",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 306) | {"neutral": 243},
    speakers=34,
    hours=1.37,
    license="CC-BY-4.0",
    commercial=True,
    derivatives=True,
    citation="Das et al., BanglaSER: A Speech Emotion Recognition Dataset for the Bangla Language, Data in Brief 2022",
    url="https://data.mendeley.com/datasets/t9h6p943xy/5",
    read=_read,
    official=_official,
    oddities=_oddities(),
    faulty=frozenset(f"banglaser/03-01-{name}" for name in _TWO_SPEAKERS.split()),
    folders=("bangla-ser",),
)
