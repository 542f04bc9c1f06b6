"""Reads folds that others have published: tables of files and the fold in which each is tested."""

from collections import defaultdict
from importlib import resources
from pathlib import Path, PurePosixPath

from serkit.data.manifest import Manifest
from serkit.data.tables import read_rows
from serkit.errors import ManifestError, ProtocolError, nearest


def published_names() -> tuple[str, ...]:
    """Return the names of the tables of folds that come with serkit."""
    folder = resources.files("serkit.lab.splits") / "published"
    return tuple(sorted(entry.name.removesuffix(".csv") for entry in folder.iterdir() if entry.name.endswith(".csv")))


def published_folds(manifest: Manifest, table: str) -> list[set[str]]:
    """Return the ids of the test utterances of each fold, in the order of the table's fold numbers or names.

    Args:
        manifest: Utterances to divide. Those whose ``test_fold`` is empty are trained on in every fold.
        table: One of :func:`published_names`, or a CSV file with the columns ``path`` and ``test_fold``. Files are
            matched by name without folder and extension, because releases of a corpus differ in both.

    Raises:
        ProtocolError: If the table does not exist, lacks a column, assigns a file to two folds, or lacks an utterance.
    """
    source = _source(table)
    try:
        rows = list(read_rows(source))
    except ManifestError as error:
        raise ProtocolError(f"the table of folds cannot be read: {error}") from error
    fold_of: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        if not row.get("path") or row.get("test_fold") is None:
            raise ProtocolError(f"{str(table)!r}, row {number}: expected a path, and a test_fold that may be empty.")
        stem, fold = PurePosixPath(str(row["path"]).replace("\\", "/")).stem, str(row["test_fold"]).strip()
        if fold_of.setdefault(stem, fold) != fold:
            raise ProtocolError(f"{str(table)!r}, row {number}: {stem!r} is in two folds.")
    groups: dict[str, set[str]] = defaultdict(set)
    for u in manifest:
        stem = PurePosixPath(u.path).stem
        if stem not in fold_of:
            raise ProtocolError(f"{str(table)!r} has no row for {u.id!r}: it is a table of other files.")
        if fold_of[stem]:
            groups[fold_of[stem]].add(u.id)
    if not groups:
        raise ProtocolError(f"{str(table)!r} assigns none of the utterances to a fold.")
    return [groups[name] for name in sorted(groups, key=lambda name: (len(name), name))]  # 2 before 10


def _source(table: str) -> Path:
    if table in published_names():
        return Path(str(resources.files("serkit.lab.splits") / "published" / f"{table}.csv"))
    path = Path(table)
    if path.suffix or path.is_file():
        return path
    raise ProtocolError(
        f"no table of folds {table!r}{nearest(table, published_names()) or '.'} Name one of "
        f"{', '.join(published_names())}, or a CSV file with the columns path and test_fold."
    )
