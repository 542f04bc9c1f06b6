"""TurEV-DB: six Turkish speakers speak the same 82 words, each for about a second, in four emotions.

``Sound Source/Sad/1157_hl_acik.wav`` holds speaker, emotion (the first letters of the Turkish word) and word. The
speakers have four digits for a name; the repository does not say who of them is a woman.

Speaker 1157 is angry and sad only, never calm or happy, and others lack happy words. The repository also holds pictures
of the clips under the same names, which are no sound.

Names: the files of github.com/Xeonen/TurEV-DB; counts: the list of EmoBox. The paper says "over 1700"; both lists have
1735.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, id_parser, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap("TurEV-DB", 1, {"kz": "anger", "sk": "calm", "mt": "happiness", "hl": "sadness"})
_NAME = re.compile(r"(\d{4})_([a-z]{2})_([a-z]+)")
_SPEAKERS = ("1157", "1234", "1358", "1984", "6783", "7895")


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem.lower())
    if match is None or match[1] not in _SPEAKERS:
        return None
    speaker, label, word = match.groups()
    return Utterance(
        id=f"turev-db/{speaker}_{label}_{word}",
        path="",
        corpus="turev-db",
        speaker=f"turev-db/{speaker}",
        language="tr",
        emotion=_EMOTIONS[label],
        sentence=f"turev-db/{word}",
        extra={"label": label},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


CORPUS = Corpus(
    name="turev-db",
    title="TurEV-DB",
    languages=("tr",),
    emotions=_EMOTIONS,
    counts={"anger": 487, "calm": 408, "happiness": 357, "sadness": 483},
    speakers=6,
    hours=0.5,
    license="CC-BY-NC-ND-4.0",
    commercial=False,
    derivatives=False,
    citation="Canpolat et al., Turkish Emotion Voice Database (TurEV-DB), SLTU-CCURL 2020",
    url="https://github.com/Xeonen/TurEV-DB",
    read=_read,
    from_id=id_parser(_parse),
    oddities={"turev-db/1157": "officially without calm and happy clips"},
    folders=("turevdb", "TurEV-DB-master"),
)
