"""ESD, the Emotional Speech Dataset: ten Mandarin and ten English speakers, each 350 sentences in five emotions.

A file name holds the speaker and a number, ``0011/Angry/train/0011_000401.wav``. Speakers 0001 to 0010 speak Mandarin,
0011 to 0020 English. The numbers count through the emotions in blocks of 350: neutral, angry, happy, sad, surprise. So
number 1 in one block is the sentence of number 351 in the next, and all speakers of a language share the sentences.

Some archives have the folders ``train``, ``test`` and ``evaluation``, others and the copies on Kaggle have not. In both
the split follows from the number: of each block the first 20 are the authors' evaluation part (``validation``
here), the next 30 are test, the other 300 train. It splits sentences, and every speaker is in all three parts, so
results on it say nothing about new speakers. A file in the folder of another emotion than its number's is left out.
Transcripts have errors (issue 3 of the authors' repository); they are not read.

The authors' page allows research only, by a license form. The sexes are those of the archive's own read-me file;
Nkululeko, a toolkit that reads ESD, differs in 0012 and 0019.
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "ESD",
    1,
    {"Neutral": "neutral", "Angry": "anger", "Happy": "happiness", "Sad": "sadness", "Surprise": "surprise"},
)
_LABELS = tuple(_EMOTIONS)
_FOLDERS = {label.lower() for label in _LABELS}
_SENTENCES = 350
_VALIDATION, _TEST = 20, 30
_NAME = re.compile(r"(00(?:0[1-9]|1\d|20))_00([01]\d{3})")
_SPEAKERS = tuple(f"{number:04}" for number in range(1, 21))
_WOMEN = {"0001", "0002", "0003", "0007", "0009", "0015", "0016", "0017", "0018", "0019"}
_LAST_MANDARIN = "0010"


def _split(sentence: int) -> str:
    if sentence <= _VALIDATION:
        return "validation"
    return "test" if sentence <= _VALIDATION + _TEST else "train"


def _parse(path: PurePosixPath) -> Utterance | str | None:
    match = _NAME.fullmatch(path.stem)
    if match is None or not 0 < int(match[2]) <= _SENTENCES * len(_LABELS):
        return None
    speaker, (block, place) = match[1], divmod(int(match[2]) - 1, _SENTENCES)
    label, sentence = _LABELS[block], place + 1
    if _FOLDERS.intersection(folder.lower() for folder in path.parts[:-1]) - {label.lower()}:
        return "in the folder of another emotion than its number's"
    language = "zh" if speaker <= _LAST_MANDARIN else "en"
    return Utterance(
        id=f"esd/{path.stem}",
        path="",
        corpus="esd",
        speaker=f"esd/{speaker}",
        sex="female" if speaker in _WOMEN else "male",
        language=language,
        emotion=_EMOTIONS[label],
        sentence=f"esd/{language}{sentence:03}",
        split=_split(sentence),
        extra={"label": label},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


def _official() -> list[Utterance]:
    numbers = range(1, _SENTENCES * len(_LABELS) + 1)
    return official_list(_parse, (f"{speaker}_{number:06}" for speaker, number in product(_SPEAKERS, numbers)))


CORPUS = Corpus(
    name="esd",
    title="ESD",
    languages=("en", "zh"),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 7000),
    speakers=20,
    hours=29.1,
    license="LicenseRef-ESD-research",
    commercial=False,
    derivatives=None,
    citation="Zhou et al., Emotional Voice Conversion: Theory, Databases and ESD, Speech Communication 2022",
    url="https://github.com/HLTSingapore/Emotional-Speech-Data",
    read=_read,
    official=_official,
    folders=("Emotion Speech Dataset", "Emotional Speech Dataset (ESD)", "emotional-speech-dataset-esd"),
)
