"""Reads a user's table with one row per utterance: CSV, TSV, JSON Lines or Parquet, with columns of any name."""

import os
from pathlib import Path

from serkit.data.formats.row_to_utterance import OwnData, Reading, UtteranceBuilder, check_columns, relative
from serkit.data.manifest import is_manifest_row
from serkit.data.speaker_column import SpeakerColumn
from serkit.data.tables import read_rows
from serkit.errors import ManifestError
from serkit.types import LeftOut


def read(file: Path, own: OwnData, speakers: SpeakerColumn, *, root: Path | None = None, split: str = "") -> Reading:
    """Read a table.

    Args:
        file: Table to read. Its paths are absolute or relative to its own folder.
        own: Mapping of its columns and labels. Columns with usual names are found without it.
        speakers: Speakers of the data, to which those of the utterances are added.
        root: Folder that the utterances' paths are made relative to; the table's folder by default.
        split: Split of all rows, where no column holds it.

    Yields:
        An utterance for each row, or the reason why it was left out.

    Raises:
        ManifestError: If no column holds the path or the emotion, or a value is impossible.
        LabelError: If a label is unknown.
    """
    root = root or file.parent
    build = UtteranceBuilder(own, speakers).build
    column = ""
    for number, row in enumerate(read_rows(file), 1):
        where = f"{file.name}, row {number}"
        if not column:
            needed = ("path",) if own.takes_emotion_from_path else ("path", "emotion")
            column = check_columns(own, needed, row, file.name)["path"]
        path = relative(_name(row.get(column), column, where), file.parent, root)
        if not os.path.isfile(f"{root}/{path}" if not path.is_absolute() else path):  # noqa: PTH113
            yield LeftOut(path.as_posix(), "in the table, but not on disk")
            continue
        yield build(({"split": split} if split else {}) | row, path=path, where=where)


def looks_like_manifest(file: Path) -> bool:
    """Whether a table has the columns of a serkit manifest and no others."""
    return is_manifest_row(next(read_rows(file), {}))


def _name(value: object, column: str, where: str) -> str:
    if isinstance(value, dict | list | bytes):
        raise ManifestError(f"{where}: column {column} must hold the path of a file, got a {type(value).__name__}.")
    if value is None or value != value or not str(value).strip():  # noqa: PLR0124  (NaN is not itself)
        raise ManifestError(f"{where}: no value for {column}.")
    return str(value).strip()
