"""MSP-Podcast: turns of speech cut from podcasts in English, in eight emotions and "other", judged by many listeners.

``Audios/MSP-PODCAST_0001_0008.wav`` gets its label, the emotion that most listeners heard, from
``Labels/labels_consensus.csv`` (``labels_concensus.csv`` in some releases), and activation, valence and dominance from
1 to 7. Turns without agreement (``X``) are left out and counted, and so are those of Test 3, whose labels are secret.

Turns whose speaker is not identified all count as one speaker, ``unknown``. Any named speaker may be among them, so
speaker-independent protocols leave these turns out. The published split has them in training; its authors warn that
speakers occur in more than one of the test sets, so train on none of those.

Releases differ: 1.11 has 151,654 turns in 238 hours, 1.12 207,136 in 324. So no numbers are stated here, and a table
must come from the release of its sound. The corpus comes under a signed agreement; read there what it allows to do
with models.

Numbers, partitions and secret labels: the page of the corpus and the readme of release 1.12; columns: its users.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import sound_files
from serkit.data.corpora.corpus_definition import Corpus, Reading, read_names, read_table
from serkit.data.name_spelling import says_nothing
from serkit.data.speaker_column import UNKNOWN
from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.types import LeftOut, Sex, Utterance

_EMOTIONS = EmotionMap(
    "MSP-Podcast",
    1,
    {
        "A": "anger",
        "C": "contempt",
        "D": "disgust",
        "F": "fear",
        "H": "happiness",
        "N": "neutral",
        "O": "other",
        "S": "sadness",
        "U": "surprise",
    },
)
_NO_AGREEMENT = "X"
_TABLES = ("labels_consensus.csv", "labels_concensus.csv")
_COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
_TURN = re.compile(r"MSP-PODCAST_(\w+?)_\w+", re.IGNORECASE)
_SEXES: dict[str, Sex] = {"male": "male", "female": "female"}
_SPLITS = {"train": "train", "development": "validation", "validation": "validation"}
_UNLABELED = "a turn without a label, such as those of Test 3, whose labels are secret"

Row = dict[str, str]


def _rows(root: Path) -> dict[str, Row]:
    """Return turn in small letters to its row."""
    for table in _TABLES:
        if rows := read_table(root, table, _COLUMNS, title="MSP-Podcast"):
            return {PurePosixPath(name.strip()).stem.lower(): row for name, row in rows.items()}
    return {}


def _utterance(turn: str, row: Row | None) -> Utterance | None:
    match = _TURN.fullmatch(turn)
    if match is None:
        return None
    cells = {name: row[name].strip() for name in _COLUMNS} if row else dict.fromkeys(_COLUMNS, "")
    label, split = cells["EmoClass"].upper(), cells["Split_Set"].lower()
    speaker = UNKNOWN if says_nothing(cells["SpkrID"]) else cells["SpkrID"].removesuffix(".0")
    numbers = {"valence": cells["EmoVal"], "activation": cells["EmoAct"], "dominance": cells["EmoDom"]}
    return Utterance(
        id=f"msp-podcast/{turn}",
        path="",
        corpus="msp-podcast",
        speaker=f"msp-podcast/{speaker}" if row else "",
        sex=_SEXES.get(cells["Gender"].lower(), "unknown"),
        language="en",
        emotion=_EMOTIONS[label] if row else "",
        session=match[1],
        split=_SPLITS.get(split, split),
        extra={"label": label} | numbers if row else {},
    )


def _from_id(turn: str) -> Utterance | None:
    """Return all but what only the table of the corpus tells."""
    return _utterance(turn, None)


def _read(root: Path) -> Reading:
    rows = _rows(root)
    stems = {path.stem.lower() for path in sound_files(root)}
    if not rows and any(_TURN.fullmatch(stem) for stem in stems):
        raise CorpusError(
            f"{str(root)!r} holds the sound files of MSP-Podcast, but not its labels, Labels/{_TABLES[0]}: copy those "
            "too."
        )

    def parse(path: PurePosixPath) -> Utterance | str | None:
        row = rows.get(path.stem.lower())
        if row is None:
            return "a turn without a row in the table, such as those of Test 3" if _TURN.fullmatch(path.stem) else None
        label = row["EmoClass"].strip().upper()
        if label == _NO_AGREEMENT:
            return "a turn without agreement among its listeners (X)"
        return _UNLABELED if says_nothing(label) else _utterance(PurePosixPath(row["FileName"].strip()).stem, row)

    yield from read_names(root, parse)
    silent = sorted(rows.keys() - stems)
    yield from (LeftOut(rows[turn]["FileName"], "a row whose sound file is missing") for turn in silent)


CORPUS = Corpus(
    name="msp-podcast",
    title="MSP-Podcast",
    languages=("en",),
    emotions=_EMOTIONS,
    counts={},
    speakers=None,
    hours=None,
    license="LicenseRef-MSP-Podcast-agreement",
    commercial=False,
    derivatives=None,
    citation="Lotfian and Busso, Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving Emotional "
    "Speech from Existing Podcast Recordings, IEEE Trans. Affective Comp. 2019",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    read=_read,
    from_id=_from_id,
    oddities={"msp-podcast/unknown": "officially all speakers without a name, who may be among the named ones"},
    folders=("MSP_Podcast", "MSPPodcast", "MSP-PODCAST-Publish-1.11", "MSP-PODCAST-Publish-1.12"),
)
