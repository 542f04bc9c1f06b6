"""eNTERFACE'05: 43 subjects of 14 nations react in English to six stories, one per emotion, with five sentences each.

The corpus is video, ``subject 1/anger/sentence 1/s1_an_1.avi``; its sound needs the ``[media]`` extra. Some file names
have misprints (``s16_su_3avi.avi``, ``s_3_ha_1.avi``), and those of subject 11 say ``s12``, which would merge two
speakers. So subject, emotion and sentence are read from the folders where those exist. Subject 6 is not cut into
sentences and is left out; subject 23 lacks three clips. Each emotion has its own sentences, so the words alone give the
emotion away. No list of the women among the subjects is published. The license is stated on the page of the corpus.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from serkit.data.corpora.corpus_definition import Corpus, Reading, id_parser, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "eNTERFACE'05",
    1,
    {"an": "anger", "di": "disgust", "fe": "fear", "ha": "happiness", "sa": "sadness", "su": "surprise"},
)
_CODES = {emotion: code for code, emotion in _EMOTIONS.items()}
_NAME = re.compile(r"s_?(\d{1,2})_([a-z]{2})_?(\d)?(?:avi)?", re.IGNORECASE)
_SUBJECT = re.compile(r"subject[ _-]?(\d{1,2})", re.IGNORECASE)
_SENTENCE = re.compile(r"sentence[ _-]?(\d)", re.IGNORECASE)
_UNCUT = 6
_SUBJECTS = range(1, 45)


def _parse(path: PurePosixPath) -> Utterance | str | None:
    match = _NAME.fullmatch(path.stem)
    subject, label, sentence = (match[1], match[2].lower(), match[3]) if match else (None, "", None)
    for folder in path.parts[:-1]:
        if found := _SUBJECT.fullmatch(folder):
            subject = found[1]
        elif found := _SENTENCE.fullmatch(folder):
            sentence = found[1]
        else:
            label = _CODES.get(folder.lower(), label)
    if subject is not None and int(subject) == _UNCUT:
        return "of subject 6, whose recordings are not cut into sentences"
    if match is None or subject is None or sentence is None or int(subject) not in _SUBJECTS:
        return None
    return Utterance(
        id=f"enterface/s{int(subject)}_{label}_{sentence}",
        path="",
        corpus="enterface",
        speaker=f"enterface/{int(subject):02}",
        language="en",
        emotion=_EMOTIONS[label],
        sentence=f"enterface/{label}{sentence}",
        extra={"label": label},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse, AUDIO_SUFFIXES + VIDEO_SUFFIXES)


CORPUS = Corpus(
    name="enterface",
    title="eNTERFACE'05",
    languages=("en",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 215) | {"happiness": 212},
    speakers=43,
    hours=None,
    license="MIT",
    commercial=True,
    derivatives=True,
    citation="Martin et al., The eNTERFACE'05 Audio-Visual Emotion Database, ICDE Workshops 2006",
    url="https://enterface.net/enterface05/emotion.html",
    read=_read,
    from_id=id_parser(_parse),
    folders=("enterface05", "enterface database", "enterface_database", "project2_database"),
)
