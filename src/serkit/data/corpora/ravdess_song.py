"""RAVDESS, song: 23 of the 24 actors sing the two sentences in six emotions and two intensities.

File names are those of ``ravdess`` with channel 02. The speaker names are the same too, so that no split separates an
actor's songs from his speech. Actor 18 has no songs.
"""

from pathlib import Path

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from serkit.data.corpora.corpus_definition import Corpus, Reading, Remote, official_list, read_names
from serkit.data.corpora.ravdess import official_names, parser
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "RAVDESS (song)",
    1,
    {"01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger", "06": "fear"},
)
_parse = parser(_EMOTIONS, "02")


def _read(root: Path) -> Reading:
    return read_names(root, _parse, AUDIO_SUFFIXES + VIDEO_SUFFIXES)


def _official() -> list[Utterance]:
    return official_list(_parse, official_names("123456", "02"))


CORPUS = Corpus(
    name="ravdess-song",
    title="RAVDESS (song)",
    languages=("en",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 184) | {"neutral": 92},
    speakers=23,
    hours=None,
    license="CC-BY-NC-SA-4.0",
    commercial=False,
    derivatives=True,
    citation="Livingstone & Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE 2018",
    url="https://zenodo.org/records/1188976",
    read=_read,
    official=_official,
    voices_of="ravdess",
    folders=("Audio_Song_Actors_01-24", "ravdess"),
    remotes=(
        Remote(
            url="https://zenodo.org/records/1188976/files/Audio_Song_Actors_01-24.zip?download=1",
            known_hash="md5:5411230427d67a21e18aa4d466e6d1b9",
            hosts=(".zenodo.org",),
            name="Audio_Song_Actors_01-24.zip",
            size=225_505_317,
        ),
    ),
)
