"""MELD: scenes of the American television series Friends, cut into utterances in seven emotions.

The corpus is video, ``train_splits/dia0_utt0.mp4``, with one table per part (``train_sent_emo.csv``, dev, test). The
dialogues of each part count from 0, so an id has the part, and so must a folder or the name. The sound has the
laughter of an audience and needs the ``[media]`` extra.

The published split has the same six main characters in all parts: results on its test part are NOT
speaker-independent. Speakers are names in a script: ``Man`` is several men, and lines of several people at once
(``All``, ``Ross and Joey``), whose voices occur under their own names too, count as one speaker, ``unknown``.
Speaker-independent protocols leave these lines out.

dev dia110_utt7 is missing, train dia125_utt3 is damaged, and some clips were cut at the wrong place: training and test
leave out the clips that users reported, and there are more faulty ones. Clips without a row, such as
``final_videos_test*``, are left out.

Numbers: README of github.com/declare-lab/MELD; hours: the list of EmoBox; faults: MELD's issues 9, 20, 22 and 39. The
pages that were read state no license for the recordings, whose rights others hold; a mirror names the GPL.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES, sound_files
from serkit.data.corpora.corpus_definition import Corpus, Reading, read_names, read_table_rows
from serkit.data.speaker_column import UNKNOWN
from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.types import LeftOut, Sex, Utterance

_EMOTIONS = EmotionMap(
    "MELD",
    1,
    {
        "anger": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "joy": "happiness",
        "neutral": "neutral",
        "sadness": "sadness",
        "surprise": "surprise",
    },
)
_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
_COLUMNS = ("Dialogue_ID", "Utterance_ID", "Speaker", "Emotion", "Season", "Episode")
_CLIP = re.compile(r"(?:(train|dev|val|test)[-_])?dia(\d+)_utt(\d+)")
_EXTRA = re.compile(r"final_videos_test.*")
_PART = re.compile(r"(?<![a-z])(train|dev|val|test)(?:ing|elopment|id|idation)?(?![a-z])")
_SEVERAL = re.compile(r"\b(?:all|both|every(?:one|body)|group|guys|girls|crowd)\b|,|&|\band\b")
_SAME = {"dr. leedbetter": "dr. ledbetter", "phoebe sr": "phoebe sr."}
_SEXES: dict[str, Sex] = {
    "chandler": "male", "joey": "male", "monica": "female", "phoebe": "female", "rachel": "female", "ross": "male"
}  # fmt: skip
_MISSING = "a row whose clip is missing"

_FAULTS = {
    "officially damaged: it cannot be decoded": "train_dia125_utt3",
    "officially cut at the wrong place, with other words than its row": (
        "train_dia241_utt2 train_dia309_utt0 train_dia485_utt0 train_dia757_utt7 test_dia38_utt4 test_dia220_utt0"
    ),
    "officially with disturbed sound": (
        "train_dia164_utt5 train_dia529_utt2 train_dia682_utt1 train_dia793_utt0 train_dia1008_utt1 train_dia1029_utt1"
    ),
}
_FAULTY = {f"meld/{name}": why for why, names in _FAULTS.items() for name in names.split()}

Row = dict[str, str]
Key = tuple[str, int, int]


def _table(part: str) -> str:
    return f"{part}_sent_emo.csv"


def _rows(root: Path) -> dict[Key, Row]:
    """Return part, dialogue and utterance to row, from the tables of all parts."""
    found: dict[Key, Row] = {}
    for part in _SPLITS:
        for row in read_table_rows(root, _table(part), _COLUMNS, title="MELD"):
            numbers = row["Dialogue_ID"].strip(), row["Utterance_ID"].strip()
            if not all(number.isdecimal() for number in numbers):
                raise CorpusError(
                    f"{_table(part)} of MELD in {str(root)!r} is damaged: {' and '.join(map(repr, numbers))} are not "
                    "the numbers of a dialogue and an utterance."
                )
            found.setdefault((part, int(numbers[0]), int(numbers[1])), row)
    return found


def _key(path: PurePosixPath) -> Key | None:
    """Return part, dialogue and utterance of a clip, with an empty part where neither name nor folders tell it."""
    match = _CLIP.fullmatch(path.stem.lower())
    if match is None:
        return None
    parts = (found[1] for folder in reversed(path.parts[:-1]) if (found := _PART.search(folder.lower())))
    part = match[1] or next(parts, "")
    return "dev" if part == "val" else part, int(match[2]), int(match[3])


def _speaker(name: str) -> str:
    """Return a name of the table in one spelling: spaces, case, typographic apostrophes and misprints do not count."""
    plain = " ".join(re.sub("[\u2018\u2019\u0091\u0092]", "'", name).lower().split())
    return UNKNOWN if not plain or _SEVERAL.search(plain) else _SAME.get(plain, plain)


def _utterance(key: Key, row: Row | None) -> Utterance:
    part, dialogue, number = key
    speaker = _speaker(row["Speaker"]) if row else ""
    label = row["Emotion"].strip().lower() if row else ""
    facts = {"label": label, "season": row["Season"].strip(), "episode": row["Episode"].strip()} if row else {}
    return Utterance(
        id=f"meld/{part}_dia{dialogue}_utt{number}",
        path="",
        corpus="meld",
        speaker=f"meld/{speaker}" if row else "",
        sex=_SEXES.get(speaker, "unknown"),
        language="en",
        emotion=_EMOTIONS[label] if row else "",
        session=f"{part}_dia{dialogue}",
        split=_SPLITS[part],
        extra=facts,
    )


def _from_id(name: str) -> Utterance | None:
    """Return all but speaker and emotion, which only the tables tell."""
    key = _key(PurePosixPath(name))
    return _utterance(key, None) if key and key[0] else None


def _read(root: Path) -> Reading:
    rows = _rows(root)
    keys = {path: _key(path) for path in sound_files(root, AUDIO_SUFFIXES + VIDEO_SUFFIXES)}
    there = {key for key in keys.values() if key}
    for part in sorted({part for part, _, _ in there if part} - {part for part, _, _ in rows}):
        raise CorpusError(f"{str(root)!r} holds clips of MELD, but not their labels, {_table(part)}: copy it too.")

    def parse(path: PurePosixPath) -> Utterance | str | None:
        key = keys.get(path)
        if key is None:
            return "an extra clip without labels (final_videos_test)" if _EXTRA.fullmatch(path.stem.lower()) else None
        if not key[0]:
            return "a clip of which neither name nor folders say whether it is of train, dev or test"
        return _utterance(key, rows[key]) if key in rows else "a clip without a row in the table of its part"

    yield from read_names(root, parse, AUDIO_SUFFIXES + VIDEO_SUFFIXES)
    for part, dialogue, number in sorted(rows.keys() - there):
        yield LeftOut(f"{part}_dia{dialogue}_utt{number}", _MISSING)


CORPUS = Corpus(
    name="meld",
    title="MELD",
    languages=("en",),
    emotions=_EMOTIONS,
    counts={
        "anger": 1607, "disgust": 361, "fear": 358, "happiness": 2308, "neutral": 6436, "sadness": 1002,
        "surprise": 1636,
    },
    speakers=None,
    hours=12.1,
    license="LicenseRef-MELD-unstated",
    commercial=None,
    derivatives=None,
    citation="Poria et al., MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations, ACL 2019",
    url="https://affective-meld.github.io/",
    read=_read,
    from_id=_from_id,
    oddities=_FAULTY
    | {f"meld/{UNKNOWN}": "officially several speakers at once, whose voices occur under their own names too"},
    faulty=frozenset(name for name, why in _FAULTY.items() if "disturbed" not in why),
    folders=("MELD.Raw", "MELD_Raw", "MELD-master"),
)  # fmt: skip
