"""Reads a user's own data as a corpus: a serkit manifest, a table, an audiofolder, an audformat database or folders."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

from serkit.data.corpora.corpus_definition import Corpus
from serkit.data.formats import audformat, audiofolder, class_folders, utterance_table
from serkit.data.formats.row_to_utterance import OwnData, Reading
from serkit.data.manifest import Manifest
from serkit.data.speaker_column import SpeakerColumn
from serkit.data.tables import SUFFIXES
from serkit.errors import CorpusError
from serkit.types import Utterance

__all__ = ["KINDS", "Kind", "OwnData", "own_corpus", "read_own"]

Kind = Literal["manifest", "table", "audiofolder", "audformat", "folders"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_MANIFESTS = tuple(f"manifest{suffix}" for suffix in SUFFIXES)


def read_own(source: str | os.PathLike[str], own: OwnData, *, kind: Kind | None = None) -> Manifest:
    """Read a user's own data.

    Args:
        source: Table or folder to read.
        own: Name of the data, and the mapping of its columns, labels and words.
        kind: Layout of the data; recognized by default.

    Returns:
        Manifest of its utterances sorted by id. Its ``left_out`` counts the files that were not read, by reason.

    Raises:
        CorpusError: If the source is missing, of no known kind, or holds no utterance.
        ManifestError: If a table lacks a column, a value is impossible, or some rows have a speaker and others do not.
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
        raise CorpusError(f"{str(source)!r} is a file; data of kind {kind} must be a folder.")
    root = source if source.is_dir() else source.parent
    readers: Mapping[Kind, Callable[[Path, OwnData, SpeakerColumn], Reading]] = {
        "table": utterance_table.read,
        "audiofolder": audiofolder.read,
        "audformat": audformat.read,
        "folders": class_folders.read,
    }
    speakers = SpeakerColumn()
    found = list(readers[kind](source, own, speakers))
    speakers.check()
    utterances = sorted((item for item in found if isinstance(item, Utterance)), key=lambda u: u.id)
    left_out = Counter(f"{own.name}: {item.reason}" for item in found if not isinstance(item, Utterance))
    if not utterances:
        why = "; ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it is empty"
        first = f"; the first is {found[0].path}" if found else ""
        raise CorpusError(f"no utterance was found in {str(source)!r}: {why}{first}.")
    return Manifest(tuple(utterances), {own.name: root}, left_out)


def own_corpus(name: str) -> Corpus:
    """Return a corpus description for a user's own data, of which only the name is known."""
    own = OwnData(name=name)
    return Corpus(
        name=name,
        title=name,
        languages=(),
        emotions=own.emotions,
        counts={},
        speakers=None,
        hours=None,
        license="unknown",
        commercial=None,
        derivatives=None,
        citation="",
        url="",
        read=lambda root: read_own(root, own),
    )


def _guess_kind(source: Path, own: OwnData) -> Kind:
    if file := source if source.is_file() else _manifest_file(source):
        is_told_nothing = own == OwnData(name=own.name)  # a mapping says that it is a table, not a manifest
        return "manifest" if is_told_nothing and utterance_table.looks_like_manifest(file) else "table"
    if (source / audformat.HEADER).is_file():
        return "audformat"
    if audiofolder.tables(source):
        return "audiofolder"
    if class_folders.is_one(source, own):
        return "folders"
    raise CorpusError(
        f"{str(source)!r} holds no data that serkit can read: it has no {_MANIFESTS[0]}, metadata.csv or "
        f"{audformat.HEADER}, and no folder with sound files that is named after an emotion. If the emotion is in the "
        "file names, pass --emotion PATTERN to 'serkit corpora manifest'."
    )


def _manifest_file(source: Path) -> Path | None:
    return next((file for name in _MANIFESTS if (file := source / name).is_file()), None)
