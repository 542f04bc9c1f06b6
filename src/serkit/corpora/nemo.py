"""nEMO: nine Polish actors speak 90 sentences in six emotions.

File names are ``SPK_emotion_n``; sex, age and the sentence come from ``data.tsv`` where it is there.
Speaker MP0 has only 256 clips.
"""

import csv
import re
from pathlib import Path

from serkit.corpora.adapter import Corpus, audio_files
from serkit.errors import CorpusError
from serkit.types import Sex, Utterance

_EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
_NAME = re.compile(rf"([A-Z]{{2}}\d)_({'|'.join(_EMOTIONS)})_(\d+)")
_COLUMNS = ("file_id", "normalized_text", "gender", "age")
_SEXES: dict[str, Sex] = {"male": "male", "female": "female"}


def _table(root: Path) -> dict[str, dict[str, str]]:
    """Read ``data.tsv`` by file stem; empty where it is not there.

    Raises:
        CorpusError: If it is another table of that name.
    """
    tables = sorted(root.rglob("data.tsv"))
    if not tables:
        return {}
    with tables[0].open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise CorpusError(f"{str(tables[0])!r} is not nEMO's table: it has no column {missing[0]!r}.")
        return {Path(row["file_id"]).stem: row for row in rows}


def _read(root: Path) -> list[Utterance]:
    table = _table(root)
    utterances = {}
    for path in audio_files(root):
        match = _NAME.fullmatch(path.stem)
        if match is None or path.stem in utterances:
            continue
        speaker, emotion, number = match.groups()
        row = table.get(path.stem, {})
        extra = {"label": emotion, "number": number}
        utterances[path.stem] = Utterance(
            id=f"nemo/{path.stem}",
            path=path.relative_to(root).as_posix(),
            corpus="nemo",
            speaker=f"nemo/{speaker}",
            sex=_SEXES.get(row.get("gender", ""), "unknown"),
            language="pl",
            emotion=_EMOTIONS[emotion],
            sentence=f"nemo/{row['normalized_text'].strip()}" if row else "",
            extra=extra | ({"age": row["age"]} if row else {}),
        )
    return list(utterances.values())


CORPUS = Corpus(
    name="nemo",
    title="nEMO",
    languages=("pl",),
    emotions=_EMOTIONS,
    utterances=4481,
    speakers=9,
    licence="CC-BY-NC-SA-4.0",
    commercial=False,
    derivatives=True,
    citation="Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024",
    url="https://huggingface.co/datasets/amu-cai/nEMO",
    read=_read,
)
