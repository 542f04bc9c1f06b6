"""JL-Corpus: two women and two men speak 15 sentences of New Zealand English in ten emotions.

A file name holds the speaker, the emotion, the sentence and two marks of recording, ``male1_angry_10a_1.wav``: each
sentence occurs as a and b, and each of these as 1 and 2. The read-me file of the archive does not explain them; the
number alone is the ``sentence`` here, so that takes of one text are never split.

Five emotions are primary: angry, excited, happy, neutral and sad. The five secondary ones, anxious, apologetic,
assertive, concerned and encouraging, are shades that serkit has no classes for: they are ``other``, half of the corpus,
and their own word is the label. So the classes of the corpus differ from the ten of its paper, and ``other`` is not
that of IEMOCAP. Lists of corpora name other secondary emotions (pensive, worried, enthusiastic), which no file has.

The recordings are published unchecked, as the name of their folder says, ``Raw JL corpus (unchecked and
unannotated)``. Counts and hours are those of EmoBox. The license is that of the authors' page on Kaggle, as two lists
of corpora cite it (SER-datasets, CAMEO).
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "JL-Corpus",
    1,
    {
        "angry": "anger",
        "excited": "excitement",
        "happy": "happiness",
        "neutral": "neutral",
        "sad": "sadness",
        "anxious": "other",
        "apologetic": "other",
        "assertive": "other",
        "concerned": "other",
        "encouraging": "other",
    },
)
_SPEAKERS = ("female1", "female2", "male1", "male2")
_NAME = re.compile(r"((?:fe)?male[12])_([a-z]+)_([1-9]|1[0-5])([ab])_([12])", re.IGNORECASE)


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem.lower())
    if match is None:
        return None
    speaker, label, sentence, part, take = match.groups()
    return Utterance(
        id=f"jl-corpus/{match[0]}",
        path="",
        corpus="jl-corpus",
        speaker=f"jl-corpus/{speaker}",
        sex="female" if speaker.startswith("female") else "male",
        language="en",
        emotion=_EMOTIONS[label],
        sentence=f"jl-corpus/{sentence}",
        extra={"label": label, "take": f"{part}_{take}"},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


def _official() -> list[Utterance]:
    names = product(_SPEAKERS, _EMOTIONS, range(1, 16), "ab", "12")
    return official_list(_parse, (f"{who}_{label}_{n}{part}_{take}" for who, label, n, part, take in names))


CORPUS = Corpus(
    name="jl-corpus",
    title="JL-Corpus",
    languages=("en",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 240) | {"other": 1200},
    speakers=4,
    hours=1.4,
    license="CC0-1.0",
    commercial=True,
    derivatives=True,
    citation="James, Tian & Watson, An Open Source Emotional Speech Corpus for Human Robot Interaction Applications, "
    "Interspeech 2018",
    url="https://www.kaggle.com/datasets/tli725/jl-corpus",
    read=_read,
    official=_official,
    folders=("JL", "Raw JL corpus (unchecked and unannotated)"),
)
