"""Hugging Face's ``audiofolder``: sound files, and a ``metadata.csv`` whose ``file_name`` leads to them.

``datasets.load_dataset("audiofolder", data_dir=...)`` reads what is written here, and this reads what it reads:
one table at the top, or one in each of ``train``, ``validation`` and ``test``, as CSV, JSON Lines or Parquet. A folder
without a table, with a folder per class, is :mod:`serkit.data.formats.folders`.
"""

import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from serkit.audio.decode import read_file
from serkit.data.find import SOUND_SUFFIXES, sound_files
from serkit.data.formats import table
from serkit.data.formats.own_labels import SPLITS, OwnData, Reading
from serkit.data.manifest import Manifest
from serkit.data.tables import write_rows
from serkit.errors import AudioError, AudioNotFoundError, ManifestError, NoSamplesError
from serkit.types import FloatArray, LeftOut, Utterance
from serkit.writing import whole_file

_TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FIELDS = ("id", "corpus", "speaker", "sex", "language", "sentence", "session", "intensity", "split")
_NOT_IN_NAMES = re.compile(r'[\\:*?"<>|]')  # what some system cannot have in a name, or reads as a path
_SPLIT_WORD = re.compile(rf"(?<![^/._ 0-9-])({'|'.join(SPLITS)})(?![^/._ 0-9-])")


def tables(root: Path) -> list[Path]:
    """Return the metadata tables at the top of a folder, of its splits, or of those in its ``data``."""
    places = (root, root / "data") if (root / "data").is_dir() else (root,)
    folders = (root, *(path for place in places for path in sorted(place.iterdir()) if path.is_dir()))
    return [file for folder in folders for name in _TABLES if (file := folder / name).is_file()]


def read(root: Path, own: OwnData) -> Reading:
    """Read an ``audiofolder``.

    Args:
        root: The folder; a table in ``train``, ``validation`` or ``test`` below it is that of a split.
        own: Which column holds what, where ``label`` or ``emotion``, ``speaker``, ``sex`` ... are not their names.

    Yields:
        An utterance, or what is left out, for each row, and for each sound file that no row names.

    Raises:
        ManifestError: If there is no table, or a row is wrong.
        LabelError: If a label is unknown.
    """
    found = tables(root)
    if not found:
        raise ManifestError(f"{str(root)!r} has no {', '.join(_TABLES)}, at its top or in its folders.")
    own = replace(own, columns={"path": "file_name"} | dict(own.columns))
    named = set()
    for file in found:
        split = "" if file.parent == root else SPLITS.get(file.parent.name.lower(), "")
        for item in table.read(file, own, root=root, split=split):
            named.add(item.path)
            yield item
    for path in sound_files(root, SOUND_SUFFIXES):
        if path.as_posix() not in named:
            yield LeftOut(path.as_posix(), "on disk, but not in the table")


def write(manifest: Manifest, folder: Path, *, on_file: Callable[[int], None] = lambda done: None) -> Path:
    """Write an ``audiofolder``: copies of the sound files, one folder per corpus, and ``metadata.csv``.

    Args:
        manifest: Its corpus roots must be known. An utterance that is a part of a file becomes a FLAC file of its own,
            of 24 bits.
        folder: Made where it is missing; it must not hold another ``metadata.csv``.
        on_file: Called with how many files are written.

    Returns:
        The table.

    Raises:
        ManifestError: If the folder holds a table already, or two utterances would have one file.
        AudioError: If a file is missing, or a part cannot be cut from it.
    """
    target = folder / "metadata.csv"
    if folder.is_dir() and tables(folder):
        raise ManifestError(f"{str(folder)!r} holds an audiofolder already; choose another folder.")
    names = [_file_name(u) for u in manifest]
    if doubled := [name for name, count in Counter(name.lower() for name in names).items() if count > 1]:
        raise ManifestError(f"two utterances would have one file, {doubled[0]!r}: give them ids that differ more.")
    decode = lru_cache(maxsize=1)(read_file)  # the parts of a file follow each other
    for done, (name, u) in enumerate(zip(names, manifest, strict=True), 1):
        _write_file(manifest.audio_path(u), u, folder / name, decode)
        on_file(done)
    rows = (
        {"file_name": name, "label": u.emotion} | {field: getattr(u, field) for field in _FIELDS}
        for name, u in zip(names, manifest, strict=True)
    )
    write_rows(target, ("file_name", "label", *_FIELDS), rows)
    return target


def _is_part(u: Utterance) -> bool:
    return bool(u.start) or u.end is not None


def _file_name(u: Utterance) -> str:
    """Return where an utterance's file goes.

    ``datasets`` takes whatever lies beside a file or folder with a word such as ``test`` in its name for no part of any
    split, and drops it; in capitals it is no such word.
    """
    parts = PurePosixPath(_NOT_IN_NAMES.sub("_", u.id)).parts
    name = "/".join(part for part in parts if part not in ("/", ".."))
    name = _SPLIT_WORD.sub(lambda word: word[0].capitalize(), name)
    return f"{name}{'.flac' if _is_part(u) else PurePosixPath(u.path).suffix.lower()}"


def _write_file(source: Path, u: Utterance, target: Path, decode: Callable[[Path], tuple[FloatArray, int]]) -> None:
    if not source.is_file():
        raise AudioNotFoundError(f"no audio file {str(source)!r}, which utterance {u.id!r} is in.")
    if not _is_part(u):
        with whole_file(target) as temporary:
            shutil.copyfile(source, temporary)
        return
    import soundfile

    samples, rate = decode(source)
    part = samples[:, round(u.start * rate) : None if u.end is None else round(u.end * rate)]
    if not part.size:
        raise NoSamplesError(f"{str(source)!r} ends before {u.start:g} s, where utterance {u.id!r} starts.")
    try:
        with whole_file(target) as temporary:
            soundfile.write(temporary, part.T, rate, subtype="PCM_24", format="FLAC")
    except soundfile.LibsndfileError as error:
        raise AudioError(f"cannot write utterance {u.id!r} as FLAC: {error}") from error
