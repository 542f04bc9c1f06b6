"""Writes files and folders whole: no other module creates or replaces one.

Each file is written under a temporary name in the folder it belongs to, and gets its own name by a rename, which the
file system does at once. So a reader finds the old file or the new one, and a killed job leaves no half-written file
under a name that the next job would trust. Of several writers of one file the last wins; their temporary names differ.

Nothing is flushed to the disk with ``fsync``. The promise is about killed processes, whose data the system still
writes; after a power failure a recent file may be empty. Everything that serkit writes can be computed again, and an
``fsync`` for each clip and each epoch would cost more than that is worth.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import BinaryIO, TextIO
from uuid import uuid4

_NAME_LENGTH = 40  # characters of the name to keep; a system allows 255 bytes, and a character has up to 4


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; the file there gets its own name when the block ends without an error.

    Args:
        path: The file to write; missing folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_text(path: Path) -> Iterator[TextIO]:
    """Yield a text file to write to, in UTF-8 with line feeds; see :func:`whole_file`."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file
        file.close()  # before the rename: Windows does not rename an open file


@contextmanager
def whole_binary(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file to write to; see :func:`whole_file`."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        yield file
        file.close()  # before the rename, as above


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a text file in UTF-8 with line feeds, or a binary file."""
    if isinstance(content, bytes):
        with whole_binary(path) as file:
            file.write(content)
    else:
        with whole_text(path) as file:
            file.write(content)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to write to; it gets its own name when the block ends without an error.

    Raises:
        FileExistsError: If a folder of that name with files in it was there or has appeared meanwhile; it is kept.
    """
    temporary = _temporary(path)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            temporary.replace(path)
        except OSError as error:
            if path.is_dir():
                raise FileExistsError(error.errno, "there is such a folder already", str(path)) from error
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def whole_files(folder: Path, *, last: str) -> Iterator[Path]:
    """Yield a temporary folder to write files to, which then move into a folder that may have other files.

    Args:
        folder: The folder that gets the files; it is made where it is missing.
        last: Name of the file that moves last. A reader who finds this one finds all of them.
    """
    temporary = _temporary(folder / "files")  # inside, since nothing may be writable beside the folder
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in sorted(temporary.iterdir(), key=lambda file: file.name == last):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_whole(source: Path, path: Path) -> None:
    """Give a complete file or folder its own name; both lie on one file system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source.replace(path)


def remove_leftovers(path: Path) -> None:
    """Remove what killed jobs left beside a file or folder; for places where only one job writes at a time."""
    for leftover in path.parent.glob(f".{escape(path.name[:_NAME_LENGTH])}.*.tmp"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """Return a hidden name beside a path that no other process or thread uses."""
    return path.with_name(f".{path.name[:_NAME_LENGTH]}.{os.getpid()}-{uuid4().hex[:8]}.tmp")
