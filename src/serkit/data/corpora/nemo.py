"""nEMO: nine Polish actors speak 90 sentences in six emotions.

File names are ``SPK_emotion_n``. Sex, age and sentence are read from ``data.tsv`` where it is present.
Speaker MP0 has only 256 clips, MK0 is never surprised, and five others lack one clip.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, Remote, official_list, read_names, read_table
from serkit.labels import EmotionMap
from serkit.types import Sex, Utterance

_EMOTIONS = EmotionMap(
    "nEMO",
    1,
    {
        "anger": "anger",
        "fear": "fear",
        "happiness": "happiness",
        "neutral": "neutral",
        "sadness": "sadness",
        "surprised": "surprise",
    },
)
_NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)", re.IGNORECASE)
_SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
_SENTENCES = 90
_NEVER_RECORDED = frozenset(
    {"EB0_surprised_40", "SM0_fear_18", "SM0_happiness_31", "TP0_surprised_75", "WR0_neutral_11"}
)
_MP0 = {  # sentences of the one speaker who has not spoken all of them, by emotion; neutral is complete
    "anger": ("2 4 5 6 8 9 10 14 17 18 24 27 32 36 40 41 42 44 46 54 55 56 65 68 69 70 71 73 85 "),
    "fear": ("1 2 3 4 5 8 12 14 21 23 28 30 33 35 41 47 61 "),
    "happiness": ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 37 40 47 52 55 58 61 67 77 "),
    "sadness": (
        "1 2 5 6 7 8 9 10 11 12 14 15 16 19 20 22 23 42 43 45 46 48 49 50 51 52 53 56 57 60 62 63 64 66 68 69 "
        "70 71 72 75 77 78 79 83 84 86 87 88 89 "
    ),
    "surprised": (
        "8 12 14 16 17 18 21 23 24 25 27 28 29 30 32 33 34 35 37 39 40 41 44 48 52 53 54 64 66 67 68 69 70 72 "
        "73 74 80 84 85 87 90 "
    ),
}
_COLUMNS = ("file_id", "normalized_text", "gender", "age")
_SEXES: dict[str, Sex] = {"male": "male", "female": "female"}


def _table(root: Path) -> dict[str, dict[str, str]]:
    """Return file stem to row of ``data.tsv``; empty without the table."""
    rows = read_table(root, "data.tsv", _COLUMNS, title="nEMO", delimiter="\t", is_quoted=False)
    return {Path(name).stem: row for name, row in rows.items()}


def _parse(path: PurePosixPath, table: dict[str, dict[str, str]] | None = None) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, label, number = match[1].upper(), match[2].lower(), match[3]
    name = f"{speaker}_{label}_{number}"
    row = (table or {}).get(name, {})
    extra = {"label": label, "number": number}
    return Utterance(
        id=f"nemo/{name}",
        path="",
        corpus="nemo",
        speaker=f"nemo/{speaker}",
        sex=_SEXES.get(row.get("gender", ""), "unknown"),
        language="pl",
        emotion=_EMOTIONS[label],
        sentence=f"nemo/{row['normalized_text'].strip()}" if row else "",
        extra=extra | ({"age": row["age"]} if row else {}),
    )


def _read(root: Path) -> Reading:
    table = _table(root)
    return read_names(root, lambda path: _parse(path, table))


def _official() -> list[Utterance]:
    numbers = " ".join(map(str, range(1, _SENTENCES + 1)))
    said = {(speaker, label): numbers for speaker in _SPEAKERS for label in _EMOTIONS}
    del said["MK0", "surprised"]
    said |= {("MP0", label): some for label, some in _MP0.items()}
    names = [f"{speaker}_{label}_{number}" for (speaker, label), some in said.items() for number in some.split()]
    return official_list(_parse, (name for name in names if name not in _NEVER_RECORDED))


CORPUS = Corpus(
    name="nemo",
    title="nEMO",
    languages=("pl",),
    emotions=_EMOTIONS,
    counts={"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprise": 669},
    speakers=9,
    hours=3.07,
    license="CC-BY-NC-SA-4.0",
    commercial=False,
    derivatives=True,
    citation="Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024",
    url="https://huggingface.co/datasets/amu-cai/nEMO",
    read=_read,
    official=_official,
    oddities={"nemo/MP0": "officially in 256 clips only", "nemo/MK0": "officially never surprised"},
    remotes=(
        Remote(
            url="https://github.com/amu-cai/nEMO/archive/06f1f83dde8f1a780443a57d53b2af3971af34ab.zip",
            known_hash="",
            name="nEMO-06f1f83.zip",
            hosts=("codeload.github.com",),
        ),
    ),
)
