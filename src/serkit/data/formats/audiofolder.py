"""Reads and writes Hugging Face's ``audiofolder``: sound files and a ``metadata.csv`` with a ``file_name`` column.

The format is that of ``datasets.load_dataset("audiofolder", data_dir=...)``: one table at the top, or one in each of
``train``, ``validation`` and ``test``, as CSV, JSON Lines or Parquet. :mod:`serkit.data.formats.class_folders` reads
folders without a table.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from serkit.audio.decode import probe, read_file
from serkit.data.audio_files import SOUND_SUFFIXES, sound_files
from serkit.data.formats import utterance_table
from serkit.data.formats.row_to_utterance import SPLITS, OwnData, Reading
from serkit.data.manifest import Manifest
from serkit.data.speaker_column import SpeakerColumn
from serkit.data.tables import write_rows
from serkit.errors import AudioError, AudioNotFoundError, ManifestError, NoSamplesError
from serkit.types import FloatArray, LeftOut, Utterance
from serkit.writing import whole_file

_TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FIELDS = ("id", "corpus", "speaker", "sex", "language", "sentence", "session", "intensity", "split")
_NOT_IN_NAMES = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')  # what some system forbids in names or reads as a path
_FORMULA = re.compile(r"(?:^|(?<=[,;]))( *)'*[=+\-@]")  # in a table, a spreadsheet would take such a name for a formula
_SPLIT_WORD = re.compile(rf"(?<![^/._ 0-9-])({'|'.join(SPLITS)})(?![^/._ 0-9-])")


def tables(root: Path) -> list[Path]:
    """Return the metadata tables of a folder: at its top, in its folders, and in those of its ``data`` folder."""
    places = (root, root / "data") if (root / "data").is_dir() else (root,)
    folders = (root, *(path for place in places for path in sorted(place.iterdir()) if path.is_dir()))
    return [file for folder in folders for name in _TABLES if (file := folder / name).is_file()]


def read(root: Path, own: OwnData, speakers: SpeakerColumn) -> Reading:
    """Read an ``audiofolder``.

    Args:
        root: Folder to read. A table in its ``train``, ``validation`` or ``test`` holds that split.
        own: Mapping of columns that have other names than ``label`` or ``emotion``, ``speaker``, ``sex`` and so on.
        speakers: Speakers of the data, to which those of the utterances are added.

    Yields:
        An utterance for each row, or the reason why it was left out; and a reason for each sound file without a row.

    Raises:
        ManifestError: If there is no table, or a row is wrong.
        LabelError: If a label is unknown.
    """
    found = tables(root)
    if not found:
        raise ManifestError(f"{str(root)!r} and its folders hold no table named {', '.join(_TABLES)}.")
    own = replace(own, columns={"path": "file_name"} | dict(own.columns))
    named = set()
    for file in found:
        split = "" if file.parent == root else SPLITS.get(file.parent.name.lower(), "")
        for item in utterance_table.read(file, own, speakers, root=root, split=split):
            named.add(item.path)
            yield item
    for path in sound_files(root, SOUND_SUFFIXES):
        if path.as_posix() not in named:
            yield LeftOut(path.as_posix(), "on disk, but not in the table")


def write(manifest: Manifest, folder: Path, *, on_file: Callable[[int], None] = lambda done: None) -> Path:
    """Write an ``audiofolder``: copies of the sound files, one folder per corpus, and ``metadata.csv``.

    An utterance that is a part of a file becomes a 24-bit FLAC file of its own. The table is written last, so a folder
    with a table is complete. Only sound below the corpus roots is copied: a manifest may come from somebody else, and
    a path or link in it that leads elsewhere would put a private file into a folder that is to be shared.

    Args:
        manifest: Utterances to write, with known corpus roots.
        folder: Folder to write to; it is made where it is missing, and must not hold a table yet.
        on_file: Callback for progress, called with the number of files written so far.

    Returns:
        Path of the table.

    Raises:
        ManifestError: If the folder holds a table already, two utterances would share a file name, or a file lies
            outside its corpus root or is no sound; then nothing is copied.
        AudioError: If a file is missing, or a part cannot be cut from it.
    """
    target = folder / "metadata.csv"
    if folder.is_dir() and tables(folder):
        raise ManifestError(f"{str(folder)!r} holds an audiofolder already; choose another folder.")
    names = [_file_name(u) for u in manifest]
    if doubled := [name for name, count in Counter(name.lower() for name in names).items() if count > 1]:
        raise ManifestError(f"two utterances would share the file {doubled[0]!r}: give them ids that differ more.")
    for u in manifest:
        _check_source(manifest, u)
    decode = lru_cache(maxsize=1)(read_file)  # the parts of one file follow each other
    for done, (name, u) in enumerate(zip(names, manifest, strict=True), 1):
        _write_file(manifest.audio_path(u), u, folder / name, decode)
        on_file(done)
    rows = (
        {"file_name": name, "label": u.emotion} | {field: getattr(u, field) for field in _FIELDS}
        for name, u in zip(names, manifest, strict=True)
    )
    write_rows(target, ("file_name", "label", *_FIELDS), rows)
    return target


def _check_source(manifest: Manifest, u: Utterance) -> None:
    """Refuse a file that is not below its corpus root, where links lead, or that is no sound."""
    source, root = manifest.audio_path(u), manifest.roots[u.corpus]
    place = os.path.realpath(source)
    if not os.path.isfile(place):  # noqa: PTH113  (false for a NUL character too)
        raise AudioNotFoundError(f"no audio file {str(source)!r} for utterance {u.id!r}.")
    if not Path(place).is_relative_to(os.path.realpath(root)):
        is_link = ".." not in PurePosixPath(u.path).parts and not PurePosixPath(u.path).is_absolute()
        raise ManifestError(
            f"{u.path!r} of utterance {u.id!r} {'is a link to' if is_link else 'names'} a file outside {str(root)!r}, "
            "and only files below that folder are copied: give the folder that holds the sound files, or a table that "
            "lies in it."
        )
    if Path(place).suffix.lower() not in SOUND_SUFFIXES:
        probe(source)  # an error where it is no sound


def _is_part(u: Utterance) -> bool:
    return bool(u.start) or u.end is not None


def _file_name(u: Utterance) -> str:
    """Return the path of an utterance's file below the folder.

    Words such as ``test`` in a path are capitalized. In lower case ``datasets`` takes them for the name of a split, and
    drops all files outside it.
    """
    parts = PurePosixPath(_NOT_IN_NAMES.sub("_", u.id)).parts
    name = "/".join(part for part in parts if part not in ("/", ".."))
    name = _FORMULA.sub(r"\1_", name)
    name = _SPLIT_WORD.sub(lambda word: word[0].capitalize(), name)
    return f"{name}{'.flac' if _is_part(u) else PurePosixPath(u.path).suffix.lower()}"


def _write_file(source: Path, u: Utterance, target: Path, decode: Callable[[Path], tuple[FloatArray, int]]) -> None:
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
