"""RAVDESS: 24 North American actors speak two sentences in eight emotions and two intensities.

The label is in the file name, ``modality-channel-emotion-intensity-sentence-repetition-actor``: this
reads audio-only speech (``03-01-...``). In the official release the clips ``03-01-03-01-02-01-07`` and
``03-01-03-01-02-02-07`` are byte-identical, and some clips are stereo.
"""

import re
from pathlib import Path

from serkit.corpora.adapter import Corpus, audio_files
from serkit.types import Utterance

_NAME = re.compile(r"03-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
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


def _read(root: Path) -> list[Utterance]:
    utterances = {}
    for path in audio_files(root):
        match = _NAME.fullmatch(path.stem)
        if match is None or path.stem in utterances:  # the Kaggle release holds every file twice
            continue
        emotion, intensity, sentence, repetition, actor = match.groups()
        utterances[path.stem] = Utterance(
            id=f"ravdess/{path.stem}",
            path=path.relative_to(root).as_posix(),
            corpus="ravdess",
            speaker=f"ravdess/{actor}",
            sex="male" if int(actor) % 2 else "female",
            language="en",
            emotion=_EMOTIONS[emotion],
            sentence=f"ravdess/{sentence}",
            intensity=_INTENSITIES[intensity],
            extra={"label": emotion, "repetition": repetition},
        )
    return list(utterances.values())


CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS",
    languages=("en",),
    emotions=_EMOTIONS,
    utterances=1440,
    speakers=24,
    licence="CC-BY-NC-SA-4.0",
    commercial=False,
    derivatives=True,
    citation="Livingstone & Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE 2018",
    url="https://zenodo.org/records/1188976",
    read=_read,
    folders=("Audio_Speech_Actors_01-24",),
)
