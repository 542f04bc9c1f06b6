"""TESS: two Canadian women, of 26 (YAF) and 64 (OAF), say 200 words in seven emotions.

Folders differ in case and spelling between the speakers, so everything is read from the file name,
``OAF_back_angry``; one file is officially named ``OA_bite_neutral`` and is OAF's. Its licence forbids
passing on derivatives.
"""

import re
from pathlib import Path

from serkit.corpora.adapter import Corpus, audio_files
from serkit.types import Utterance

_EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
_NAME = re.compile(rf"(OAF|OA|YAF)_([a-z]+)_({'|'.join(_EMOTIONS)})", re.IGNORECASE)
_AGES = {"OAF": "64", "YAF": "26"}


def _read(root: Path) -> list[Utterance]:
    utterances = {}
    for path in audio_files(root):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            continue
        prefix, word, emotion = match[1].upper(), match[2].lower(), match[3].lower()
        name = f"{prefix}_{word}_{emotion}"
        if name in utterances:  # the Kaggle release holds every file twice
            continue
        speaker = "YAF" if prefix == "YAF" else "OAF"
        utterances[name] = Utterance(
            id=f"tess/{name}",
            path=path.relative_to(root).as_posix(),
            corpus="tess",
            speaker=f"tess/{speaker}",
            sex="female",
            language="en",
            emotion=_EMOTIONS[emotion],
            sentence=f"tess/{word}",
            extra={"label": emotion, "age": _AGES[speaker]},
        )
    return list(utterances.values())


CORPUS = Corpus(
    name="tess",
    title="TESS",
    languages=("en",),
    emotions=_EMOTIONS,
    utterances=2800,
    speakers=2,
    licence="CC-BY-NC-ND-4.0",
    commercial=False,
    derivatives=False,
    citation="Pichora-Fuller & Dupuis, Toronto Emotional Speech Set (TESS), 2010",
    url="https://doi.org/10.5683/SP2/E8H2MF",
    read=_read,
    folders=("TESS Toronto emotional speech set data", "toronto-emotional-speech-set-tess"),
)
