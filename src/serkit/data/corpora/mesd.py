"""MESD, the Mexican Emotional Speech Database: single Spanish words in six emotions by women, men and children.

A file name holds the emotion, a letter of the voice, the list of words and the word, ``Anger_F_A_abajo.wav``. F is one
of three women, M one of two men, C one of six children: the names do not tell which of them speaks. Each person is in
one of the three groups, so each group counts as one speaker here. No speaker-independent protocol can then test on a
person whom it trained on; the price is that only three folds are left. The sex of the children is not known.

The 24 words of list A are the same in all emotions and voices. Those of list B were chosen for their emotion, so the
words alone give the emotion away. The word is the ``sentence``; the names write it without accents.

Lists of corpora give it 864 files; EmoBox's list of release 5 has 862, one less of anger and one less neutral. The
file ``Happiness_C_A_lento_dentro`` has two words, and the same duration as ``Happiness_C_A_antes`` and
``Happiness_C_A_dentro``. They may be one recording; nobody says so.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, id_parser, read_names
from serkit.labels import EmotionMap
from serkit.types import Sex, Utterance

_EMOTIONS = EmotionMap(
    "MESD",
    1,
    {
        "anger": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happiness": "happiness",
        "neutral": "neutral",
        "sadness": "sadness",
    },
)
_NAME = re.compile(r"([a-z]+)_([fmc])_([ab])_([^\W\d]+)", re.IGNORECASE)
_VOICES: dict[str, tuple[str, Sex]] = {"F": ("women", "female"), "M": ("men", "male"), "C": ("children", "unknown")}
_TWO_WORDS = "lento_dentro"
_AS_LONG = ("Happiness_C_A_antes", "Happiness_C_A_dentro", f"Happiness_C_A_{_TWO_WORDS}")


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    label, voice, words, word = match[1].lower(), match[2].upper(), match[3].upper(), match[4].lower()
    group, sex = _VOICES[voice]
    return Utterance(
        id=f"mesd/{label.capitalize()}_{voice}_{words}_{word}",
        path="",
        corpus="mesd",
        speaker=f"mesd/{group}",
        sex=sex,
        language="es",
        emotion=_EMOTIONS[label],
        sentence="" if word == _TWO_WORDS else f"mesd/{word}",
        extra={"label": label, "words": words},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


CORPUS = Corpus(
    name="mesd",
    title="MESD",
    languages=("es",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 144) | {"anger": 143, "neutral": 143},
    speakers=3,
    hours=0.2,
    license="CC-BY-4.0",
    commercial=True,
    derivatives=True,
    citation="Duville, Alonso-Valerdi & Ibarra-Zarate, Mexican Emotional Speech Database Based on Semantic, Frequency, "
    "Familiarity, Concreteness, and Cultural Shaping of Affective Prosody, Data 2021",
    url="https://data.mendeley.com/datasets/cy34mh68j9/5",
    read=_read,
    from_id=id_parser(_parse),
    oddities={f"mesd/{name}": "officially as long as two other clips, perhaps one recording" for name in _AS_LONG},
    folders=("Mexican Emotional Speech Database (MESD)", "mexican-emotional-speech-databasemesd", "cy34mh68j9-5"),
)
