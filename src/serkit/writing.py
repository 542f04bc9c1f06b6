"""Atomic file writing: a temporary file beside the target, then a rename, so a killed job leaves no partial file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to. It replaces ``path`` if the block succeeds, and is removed if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_text(path: Path) -> Iterator[TextIO]:
    """Yield a text file to write to, in UTF-8 with line feeds. It replaces ``path`` if the block succeeds."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file
        file.close()  # before the rename, which Windows refuses for an open file


def write_whole(path: Path, text: str) -> None:
    """Write a text file in UTF-8 with line feeds, whole or not at all."""
    with whole_text(path) as file:
        file.write(text)
