"""RAVDESS, speech: 24 North American actors speak two sentences in eight emotions and two intensities.

A file name holds ``modality-channel-emotion-intensity-sentence-repetition-actor``. Speech is channel 01. The songs of
the same actors are the corpus ``ravdess-song``, with the same speaker names, so that no split separates an actor's
songs from his speech. Modality 03 is sound alone, 01 a film with the same sound, and 02 the film without sound. 01 and
03 are one utterance with the id of the sound file, which is read where both are present. In the official release the
clips ``03-01-03-01-02-01-07`` and ``03-01-03-01-02-02-07`` are byte-identical, and some clips are stereo.
"""

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from serkit.data.corpora.corpus_definition import Corpus, Reading, Remote, official_list, read_names
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
    """Return a function that parses file names of the speech (channel 01) or of the songs (02)."""

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
    """Return the file names of the official release.

    Args:
        codes: Last digits of the emotions' codes.
        channel: ``01`` for speech or ``02`` for songs.
    """
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
            hosts=(".zenodo.org",),
            name="Audio_Speech_Actors_01-24.zip",
            size=208_468_073,
        ),
    ),
)
