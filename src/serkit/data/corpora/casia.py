"""CASIA: two women and two men speak the same 50 Mandarin sentences in six emotions.

These 1200 clips are the public part of the Chinese emotional corpus of the Institute of Automation in Beijing, which
sells 9600. Releases have ``liuchanhg/angry/201.wav``, where only the folders say speaker and emotion,
``angry/201-angry-liuchanhg.wav``, or ``liuchanhg_angry_201.wav``. The numbers 201 to 250 are the sentences, the same
for all, so a split by speaker tests on sentences of training.

Clips of the sold part are left out and counted, since no list of them is published: other numbers, and the folder of
different texts, which spells the same four speakers in another way (``Chang.Liu`` is ``liuchanhg``).

The authors' terms for the public part were not found. EmoBox (github.com/emo-box/EmoBox) lists its files; users of the
corpus publish the names of the sold part and the sexes.
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Sex, Utterance

_EMOTIONS = EmotionMap(
    "CASIA",
    1,
    {
        "angry": "anger",
        "fear": "fear",
        "happy": "happiness",
        "neutral": "neutral",
        "sad": "sadness",
        "surprise": "surprise",
    },
)
_SEXES: dict[str, Sex] = {"liuchanhg": "female", "wangzhe": "male", "zhaoquanyin": "female", "ZhaoZuoxiang": "male"}
_SPEAKERS = {speaker.lower(): speaker for speaker in _SEXES}
_OTHER_SPELLINGS = {"chang.liu", "zhe.wang", "quanyin.zhao", "zuoxiang.zhao"}  # in the part of different texts
_SAME_TEXTS = "相同文本300"  # "300 same texts", the folder of the sold part that holds the public clips
_NUMBER = re.compile(r"\d{3}")
_PUBLIC = range(201, 251)
_SOLD = "of the part that is sold, beyond the 1200 public clips"


def _parse(path: PurePosixPath) -> Utterance | str | None:
    words = re.split(r"[-_ ]+", path.stem.lower())
    numbers = [word for word in words if _NUMBER.fullmatch(word)]
    folders = [folder.lower() for folder in reversed(path.parts[-3:-1])]
    speaker = next((word for word in words + folders if word in _SPEAKERS or word in _OTHER_SPELLINGS), "")
    label = next((word for word in words + folders if word in _EMOTIONS), "")
    if len(numbers) != 1 or not speaker or set(words) - {numbers[0], speaker, label, _SAME_TEXTS}:
        return None
    if speaker in _OTHER_SPELLINGS or int(numbers[0]) not in _PUBLIC:
        return _SOLD
    if not label and (not folders or folders[0] == speaker):
        return None
    name = _SPEAKERS[speaker]
    emotion = _EMOTIONS[label or folders[0]]
    return Utterance(
        id=f"casia/{name}_{label}_{numbers[0]}",
        path="",
        corpus="casia",
        speaker=f"casia/{name}",
        sex=_SEXES[name],
        language="zh",
        emotion=emotion,
        sentence=f"casia/{numbers[0]}",
        extra={"label": label},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


def _official() -> list[Utterance]:
    clips = product(_SEXES, _EMOTIONS, _PUBLIC)
    return official_list(_parse, (f"{speaker}_{label}_{number}.wav" for speaker, label, number in clips))


CORPUS = Corpus(
    name="casia",
    title="CASIA",
    languages=("zh",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 200),
    speakers=4,
    hours=0.6,
    license="LicenseRef-CASIA-unstated",
    commercial=None,
    derivatives=None,
    citation="Tao et al., Design of Speech Corpus for Mandarin Text to Speech, Blizzard Challenge Workshop 2008",
    url="https://aistudio.baidu.com/aistudio/datasetdetail/209512",
    read=_read,
    official=_official,
    folders=("CASIA database", "CASIA情感语料库"),
)
