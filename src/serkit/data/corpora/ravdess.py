"""RAVDESS, speech: 24 North American actors speak two sentences in eight emotions and two intensities.

The label is in the file name, ``modality-channel-emotion-intensity-sentence-repetition-actor``. Speech is
channel 01; the songs of the same actors are the corpus ``ravdess-song``, whose speakers have the same names,
so that no split parts an actor's songs from his speech. Modality 03 is sound alone and 01 the film with the
same sound: both are one utterance, under the name of its sound file, and the sound file is read where both are there.
Modality 02 is the silent film. In the official release the clips ``03-01-03-01-02-01-07`` and
``03-01-03-01-02-02-07`` are byte-identical, and some clips are stereo.
"""

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from serkit.data.corpora.adapter import Corpus, Reading, Remote, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_NAME = re.compile(r"0([123])-(0[12])-(\d\d)-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_INTENSITIES = {"01": "normal", "02": "strong"}
_CHANNELS = {"01": "ravdess", "02": "ravdess-song"}
_WITHOUT_SONGS = "18"  # this actor's songs were lost to a technical fault


def parser(emotions: EmotionMap, channel: str) -> Callable[[PurePosixPath], Utterance | str | None]:
    """Return what reads a file name of the speech (channel 01) or of the songs (02)."""

    def parse(path: PurePosixPath) -> Utterance | str | None:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            return None
        modality, sounds, emotion, intensity, sentence, repetition, actor = match.groups()
        if sounds != channel:
            return f"read by the corpus {_CHANNELS[sounds]}"
        if modality == "2":
            return "a film without sound"
        return Utterance(
            id=f"{_CHANNELS[channel]}/03{path.stem[2:]}",
            path="",
            corpus=_CHANNELS[channel],
            speaker=f"ravdess/{actor}",
            sex="male" if int(actor) % 2 else "female",
            language="en",
            emotion=emotions[emotion],
            sentence=f"ravdess/{sentence}",
            intensity=_INTENSITIES[intensity],
            extra={"label": emotion, "repetition": repetition},
        )

    return parse


def official_names(codes: str, channel: str) -> list[str]:
    """Return the names of the official release, given the last digits of the emotions' codes."""
    actors = [f"{n:02}" for n in range(1, 25)]
    takes = product(actors, codes, ("01", "02"), ("01", "02"), ("01", "02"))
    return [
        f"03-{channel}-0{emotion}-{intensity}-{sentence}-{repetition}-{actor}"
        for actor, emotion, intensity, sentence, repetition in takes
        if not (emotion == "1" and intensity == "02") and not (channel == "02" and actor == _WITHOUT_SONGS)
    ]


_SPEECH = EmotionMap("RAVDESS", 1, _EMOTIONS)
_parse = parser(_SPEECH, "01")


def _read(root: Path) -> Reading:
    return read_names(root, _parse, AUDIO_SUFFIXES + VIDEO_SUFFIXES)


def _official() -> list[Utterance]:
    return official_list(_parse, official_names("12345678", "01"))


_TWINS = ("ravdess/03-01-03-01-02-01-07", "ravdess/03-01-03-01-02-02-07")

CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS",
    languages=("en",),
    emotions=_SPEECH,
    counts=dict.fromkeys(_EMOTIONS.values(), 192) | {"neutral": 96},
    speakers=24,
    hours=1.48,
    license="CC-BY-NC-SA-4.0",
    commercial=False,
    derivatives=True,
    citation="Livingstone & Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE 2018",
    url="https://zenodo.org/records/1188976",
    read=_read,
    official=_official,
    oddities=dict.fromkeys(_TWINS, "officially one of two byte-identical files"),
    folders=("Audio_Speech_Actors_01-24",),
    remotes=(
        Remote(
            url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
            known_hash="md5:bc696df654c87fed845eb13823edef8a",
            name="Audio_Speech_Actors_01-24.zip",
            size=208_468_073,
        ),
    ),
)
