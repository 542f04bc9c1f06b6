"""Tables as rows: CSV, JSON Lines and Parquet, by the ending of the name, one row at a time in both directions."""

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from serkit.errors import ManifestError, MissingExtraError
from serkit.files import whole_file, whole_text

Row = Mapping[str, Any]
_Kind = TypeVar("_Kind")
SUFFIXES = (".csv", ".jsonl", ".parquet")
_GROUP = 50_000  # rows of Parquet that are held at once


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table: texts from CSV, what JSON and Parquet hold from these.

    Raises:
        ManifestError: If the file is missing, of another kind, or damaged; the message names the row where it can.
        MissingExtraError: If it is Parquet and pyarrow is not installed.
    """
    if not path.is_file():
        raise ManifestError(f"no table {str(path)!r}.")
    reader = _kind(
        path, "read", {".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    )
    try:
        yield from reader(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"cannot read {path.name!r} as a table in UTF-8: {error}.") from error


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Row], *, numbers: Collection[str] = ()) -> None:
    """Write a table whole.

    Args:
        path: Its ending says the kind.
        columns: In order; every row has a value for each, which may be None.
        rows: The rows.
        numbers: The columns that hold numbers; the others hold texts, and in JSON Lines whatever JSON can.

    Raises:
        ManifestError: If the ending is none of the known ones.
        MissingExtraError: If it is Parquet and pyarrow is not installed.
    """
    write = _kind(path, "write", {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet})
    write(path, columns, rows, numbers)


def _kind(path: Path, verb: str, kinds: Mapping[str, _Kind]) -> _Kind:
    try:
        return kinds[path.suffix.lower()]
    except KeyError:
        known = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise ManifestError(f"cannot {verb} {path.name!r} as a table: the name must end in {known}.") from None


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")


def _read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ManifestError(f"{path.name}, row {number}: not JSON ({error.msg}).") from error
            if not isinstance(row, dict):
                raise ManifestError(f"{path.name}, row {number}: expected a JSON object, got {line.strip()[:40]!r}.")
            yield row


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    pyarrow = _pyarrow("reading Parquet")
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_GROUP):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(f"cannot read {path.name!r} as Parquet: {str(error).rstrip('.')}.") from error


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row], _: Collection[str]) -> None:
    with whole_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row[name] for name in columns] for row in rows)


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
