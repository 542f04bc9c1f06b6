"""A table with one row per utterance: CSV, TSV, JSON Lines or Parquet, with the columns that its owner chose."""

from pathlib import Path

from serkit.errors import ManifestError
from serkit.formats.own import Builder, OwnData, Reading, check_column, relative
from serkit.tables import read_rows
from serkit.types import LeftOut


def read(file: Path, own: OwnData, *, root: Path | None = None, split: str = "") -> Reading:
    """Read a table.

    Args:
        file: The table; paths in it are relative to its folder, or absolute.
        own: Which column holds what; the usual names are found without.
        root: What the utterances' paths shall be relative to; the table's folder by default.
        split: Of all rows, where no column says it.

    Yields:
        An utterance, or what is left out, for each row.

    Raises:
        ManifestError: If there is no column for the path or the emotion, or a value is impossible.
        LabelError: If a label is unknown.
    """
    root = root or file.parent
    build = Builder(own).build
    column = ""
    for number, row in enumerate(read_rows(file), 1):
        where = f"{file.name}, row {number}"
        if not column:
            column = check_column(own, "path", row, file.name)
            check_column(own, "emotion", row, file.name)
        if not row.get(column):
            raise ManifestError(f"{where}: no value for {column}.")
        path = relative(str(row[column]), file.parent, root)
        if not (root / path).is_file():
            yield LeftOut(path.as_posix(), "in the table, but not on disk")
            continue
        found = build(({"split": split} if split else {}) | row, path=path, where=where)
        yield found


def looks_like_manifest(file: Path) -> bool:
    """Whether a table has the columns that serkit itself writes."""
    first = next(read_rows(file), {})
    return {"id", "path", "corpus", "speaker", "emotion"} <= first.keys() and isinstance(first, dict)
