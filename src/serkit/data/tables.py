"""Reads and writes tables row by row: CSV, JSON Lines or Parquet, chosen by the file's suffix.

In CSV, a text that a spreadsheet would run as a formula is written with an apostrophe before it, which is removed when
the table is read, see :mod:`serkit.spreadsheet_cells`.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from serkit.errors import ManifestError, MissingExtraError
from serkit.parsing import parse_json
from serkit.spreadsheet_cells import guarded, unguarded
from serkit.writing import whole_file, whole_text

Row = Mapping[str, Any]
_Kind = TypeVar("_Kind")
SUFFIXES = (".csv", ".jsonl", ".parquet")
_GROUP = 50_000  # rows of Parquet in memory at once
_INDEX = re.compile(r"__index_level_\d+__")  # column that pandas adds to Parquet for the index of a filtered frame


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as column names to values.

    Values are texts in CSV, and any JSON or Parquet type otherwise. CSV may be separated by commas, semicolons or
    tabs, as spreadsheets write it. Empty rows, columns without a name and the index column of pandas are skipped.

    Args:
        path: Table to read: ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``.

    Raises:
        ManifestError: If the file is missing, of another kind, or damaged; the message names the row where it can.
        MissingExtraError: If the file is Parquet and pyarrow is not installed.
    """
    if not path.is_file():
        raise ManifestError(f"no table {str(path)!r}.")
    reader = _kind(
        path, "read", {".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    )
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        why = f"{error.reason} at byte {error.start}; save it in that encoding (Excel: CSV UTF-8)"
        raise ManifestError(f"cannot read {path.name!r} as a table in UTF-8: {why}.") from error


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Row], *, numbers: Collection[str] = ()) -> None:
    """Write a table whole.

    Args:
        path: File to write: ``.csv``, ``.jsonl`` or ``.parquet``.
        columns: Column names in order. Every row has a value for each, which may be None.
        rows: Rows, as column names to values.
        numbers: Columns that hold numbers. The other columns hold texts, in JSON Lines any JSON value.

    Raises:
        ManifestError: If the suffix is another one, or a text is not valid Unicode.
        MissingExtraError: If the file is Parquet and pyarrow is not installed.
    """
    write = _kind(path, "write", {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet})
    try:
        write(path, columns, rows, numbers)
    except UnicodeEncodeError as error:  # file names are bytes, which need not be valid UTF-8
        raise ManifestError(f"cannot write {path.name!r}: {error.object!a} is not text in UTF-8; rename it.") from error


def _kind(path: Path, verb: str, kinds: Mapping[str, _Kind]) -> _Kind:
    try:
        return kinds[path.suffix.lower()]
    except KeyError:
        *others, last = kinds
        known = f"{', '.join(others)} or {last}"
        raise ManifestError(f"cannot {verb} {path.name!r} as a table: the name must end in {known}.") from None


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding=_encoding(path), newline="") as file:
        header = next((line for line in file if line.strip()), "")
        if not header.lower().startswith("sep="):  # Excel's line that names the separator
            file.seek(0)
        else:
            header = next(iter(file), "")
            file.seek(0)
            next(file)
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else _delimiter(header), strict=True)
        try:
            rows = (cells for cells in reader if any(cells))
            columns = [unguarded(name.strip()) for name in next(rows, [])]
            _check_columns(columns, path.name)
            is_plain = all(columns)
            for number, raw in enumerate(rows, start=1):
                cells = [unguarded(cell) for cell in raw] if "'" in "".join(raw) else raw
                if is_plain and len(cells) == len(columns):
                    yield dict(zip(columns, cells, strict=True))
                    continue
                if any(cells[len(columns) :]):
                    many = f"{len(cells)} cells, but the header has {len(columns)}"
                    raise ManifestError(f"{path.name}, row {number}: {many}; put texts with commas in quotes.")
                yield {name: cell for name, cell in zip_longest(columns, cells[: len(columns)]) if name}
        except csv.Error as error:
            why = f"{error} at line {reader.line_num}; a quotation mark may be open"
            raise ManifestError(f"cannot read {path.name!r} as CSV: {why}.") from error


def _encoding(path: Path) -> str:
    """Return UTF-16 where the file starts with its mark, as Excel's "Unicode text" does; else UTF-8."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _delimiter(header: str) -> str:
    """Return the separator of a header line: a spreadsheet in German writes semicolons."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=bare.count)


def _check_columns(columns: Sequence[str], name: str) -> None:
    doubled = [column for column, count in Counter(columns).items() if column and count > 1]
    if doubled:
        raise ManifestError(f"{name} has two columns {doubled[0]!r}; rename one.")


def _read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = parse_json(line)
            except ValueError as error:
                why = error.msg if isinstance(error, json.JSONDecodeError) else error
                raise ManifestError(f"{path.name}, row {number}: not JSON ({why}).") from error
            if not isinstance(row, dict):
                raise ManifestError(f"{path.name}, row {number}: expected a JSON object, got {line.strip()[:40]!r}.")
            yield row


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    pyarrow = _pyarrow("reading Parquet")
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_columns(file.schema_arrow.names, path.name)
            columns = [name for name in file.schema_arrow.names if not _INDEX.fullmatch(name)]
            for batch in file.iter_batches(batch_size=_GROUP):
                yield from batch.select(columns).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        why = " ".join(str(error).split()).rstrip(".")  # some messages of pyarrow end in a line feed
        raise ManifestError(f"cannot read {path.name!r} as Parquet: {why}.") from error


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row], _: Collection[str]) -> None:
    with whole_text(path) as file:
        line_feeds = SimpleNamespace(write=lambda line: file.write(f"{line[:-2]}\n"))
        writer = csv.writer(line_feeds, lineterminator="\r\n")  # with "\n" alone, csv before 3.13 leaves "\r" unquoted
        has_separators = any({*name} & {*";\t"} for name in columns)  # unquoted, _delimiter would count them
        header = csv.writer(line_feeds, lineterminator="\r\n", quoting=csv.QUOTE_ALL) if has_separators else writer
        header.writerow(map(guarded, columns))
        writer.writerows([_guarded(row[name]) for name in columns] for row in rows)


def _guarded(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else value


def _write_jsonl(path: Path, columns: Sequence[str], rows: Iterable[Row], _: Collection[str]) -> None:
    with whole_text(path) as file:
        for row in rows:
            file.write(json.dumps({name: row[name] for name in columns}, ensure_ascii=False, sort_keys=True) + "\n")


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Row], numbers: Collection[str]) -> None:
    pyarrow = _pyarrow("writing Parquet")
    schema = pyarrow.schema([(n, pyarrow.float64() if n in numbers else pyarrow.string()) for n in columns])
    rows = iter(rows)
    with whole_file(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pyarrow.table({name: [row[name] for row in group] for name in columns}, schema=schema))
        writer.close()  # before the rename


def _pyarrow(purpose: str) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(purpose, "data") from error
    return pyarrow
