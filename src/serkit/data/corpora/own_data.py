"""Somebody's own data as a corpus: a serkit manifest, a table, an audiofolder, an audformat database, or folders."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

from serkit.data.corpora.adapter import Corpus
from serkit.data.formats import audformat, audiofolder, folders, table
from serkit.data.formats.own_labels import OwnData, Reading
from serkit.data.manifest import Manifest
from serkit.data.tables import SUFFIXES
from serkit.errors import CorpusError
from serkit.types import Utterance

Kind = Literal["manifest", "table", "audiofolder", "audformat", "folders"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_MANIFESTS = tuple(f"manifest{suffix}" for suffix in SUFFIXES)


def read_own(source: str | os.PathLike[str], own: OwnData, *, kind: Kind | None = None) -> Manifest:
    """Read somebody's own data.

    Args:
        source: A table, or a folder.
        own: Its name, and what it calls things.
        kind: How it is laid out; found out by default.

    Returns:
        Its utterances sorted by id; ``left_out`` counts what was not read, by its reason.

    Raises:
        CorpusError: If it is not there, of no known kind, or holds no utterance.
        ManifestError: If a table lacks a column, or a value is impossible.
        LabelError: If a label is unknown.
        MissingExtraError: If its kind needs a package that is not installed.
    """
    source = Path(source)
    if source.name == audformat.HEADER:
        source = source.parent
    if not source.exists():
        raise CorpusError(f"no file or folder {str(source)!r}.")
    kind = kind or _guess_kind(source, own)
    if kind in ("manifest", "table"):
        source = _manifest_file(source) or source
    if kind == "manifest":
        return Manifest.read(source)
    if kind != "table" and not source.is_dir():
        raise CorpusError(f"{str(source)!r} is a file, not a folder as {kind} wants it.")
    root = source if source.is_dir() else source.parent
    readers: Mapping[Kind, Callable[[Path, OwnData], Reading]] = {
        "table": table.read, "audiofolder": audiofolder.read, "audformat": audformat.read, "folders": folders.read
    }  # fmt: skip
    found = list(readers[kind](source, own))
    utterances = sorted((item for item in found if isinstance(item, Utterance)), key=lambda u: u.id)
    left_out = Counter(f"{own.name}: {item.reason}" for item in found if not isinstance(item, Utterance))
    if not utterances:
        why = "; ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it is empty"
        first = f"; the first is {found[0].path}" if found else ""
        raise CorpusError(f"no utterance in {str(source)!r}: {why}{first}.")
    return Manifest(tuple(utterances), {own.name: root}, left_out)


def own_corpus(name: str) -> Corpus:
    """Return what is known of a corpus that is nobody's but the user's: its name."""
    own = OwnData(name=name)
    return Corpus(
        name=name,
        title=name,
        languages=(),
        emotions=own.emotions,
        counts={},
        speakers=0,
        hours=None,
        license="unknown",
        commercial=False,
        derivatives=False,
        citation="",
        url="",
        read=lambda root: read_own(root, own),
    )


def _guess_kind(source: Path, own: OwnData) -> Kind:
    if file := source if source.is_file() else _manifest_file(source):
        is_told_nothing = own == OwnData(name=own.name)  # what is told of a table does not hold for a manifest
        return "manifest" if is_told_nothing and table.looks_like_manifest(file) else "table"
    if (source / audformat.HEADER).is_file():
        return "audformat"
    if audiofolder.tables(source):
        return "audiofolder"
    if folders.is_one(source, own):
        return "folders"
    raise CorpusError(
        f"{str(source)!r} holds no data that serkit can read: it has no {_MANIFESTS[0]}, metadata.csv or "
        f"{audformat.HEADER}, and no folder with sound is named after an emotion."
    )


def _manifest_file(source: Path) -> Path | None:
    return next((file for name in _MANIFESTS if (file := source / name).is_file()), None)
