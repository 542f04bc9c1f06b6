"""Hugging Face's ``audiofolder``: sound files, and a ``metadata.csv`` whose ``file_name`` leads to them.

``datasets.load_dataset("audiofolder", data_dir=...)`` reads what is written here, and this reads what it reads:
one table at the top, or one in each of ``train``, ``validation`` and ``test``, as CSV, JSON Lines or Parquet. A folder
without a table, with a folder per class, is :mod:`serkit.formats.folders`.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from serkit.audio import read_file
from serkit.errors import ManifestError
from serkit.formats import table
from serkit.formats.own import OwnData, Reading
from serkit.manifest import Manifest
from serkit.tables import write_rows
from serkit.types import Utterance

_TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FIELDS = ("id", "corpus", "speaker", "sex", "language", "sentence", "session", "intensity", "split")


def tables(root: Path) -> list[Path]:
    """Return the metadata tables at the top of a folder, or of its splits."""
    return [file for folder in (root, *_folders(root)) for name in _TABLES if (file := folder / name).is_file()]


def read(root: Path, own: OwnData) -> Reading:
    """Read an ``audiofolder``.

    Args:
        root: The folder; a table below it is that of a split, which its folder names.
        own: Which column holds what, where ``label`` or ``emotion``, ``speaker``, ``sex`` ... are not their names.

    Yields:
        An utterance, or what is left out, for each row.

    Raises:
        ManifestError: If there is no table, or a row is wrong.
        LabelError: If a label is unknown.
    """
    found = tables(root)
    if not found:
        raise ManifestError(f"{str(root)!r} has no {', '.join(_TABLES)}, at its top or in its folders.")
    for file in found:
        yield from table.read(file, own, root=root, split="" if file.parent == root else file.parent.name)


def write(manifest: Manifest, folder: Path, *, on_file: Callable[[int], None] = lambda done: None) -> Path:
    """Write an ``audiofolder``: copies of the sound files, one folder per corpus, and ``metadata.csv``.

    Args:
        manifest: Its corpus roots must be known. An utterance that is a part of a file becomes a FLAC file of its own.
        folder: Made where it is missing; it must not hold another ``metadata.csv``.
        on_file: Called with how many files are written.

    Returns:
        The table.

    Raises:
        ManifestError: If the folder holds a table already, or two utterances would have one file.
        AudioError: If a part is to be cut from a file that cannot be read.
    """
    target = folder / "metadata.csv"
    if tables(folder) if folder.is_dir() else False:
        raise ManifestError(f"{str(folder)!r} holds an audiofolder already; choose another folder.")
    rows = []
    for done, u in enumerate(manifest, 1):
        name = _copy(manifest, u, folder)
        rows.append({"file_name": name, "label": u.emotion} | {field: getattr(u, field) for field in _FIELDS})
        on_file(done)
    if len({row["file_name"] for row in rows}) < len(rows):
        raise ManifestError("two utterances have one file: their ids differ only in what follows the last dot.")
    write_rows(target, ("file_name", "label", *_FIELDS), rows)
    return target


def _copy(manifest: Manifest, u: Utterance, folder: Path) -> str:
    source = manifest.audio_path(u)
    is_part = bool(u.start) or u.end is not None
    name = f"{u.id}{'.flac' if is_part else source.suffix.lower()}"
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not is_part:
        shutil.copyfile(source, target)
        return name
    import soundfile

    samples, rate = read_file(source)
    part = samples[:, round(u.start * rate) : None if u.end is None else round(u.end * rate)]
    soundfile.write(target, part.T, rate, subtype="PCM_24")
    return name


def _folders(root: Path) -> Iterator[Any]:
    yield from sorted(path for path in root.iterdir() if path.is_dir())
