"""Files are written whole: under a temporary name beside their own, then renamed, so a killed job leaves none half."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the name to write to; it becomes the file when the block ends well, and goes away when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_text(path: Path) -> Iterator[TextIO]:
    """Yield a text file to write to, in UTF-8 with line feeds."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file
        file.close()  # before the rename, which Windows refuses for an open file


def write_whole(path: Path, text: str) -> None:
    """Write a text file."""
    with whole_text(path) as file:
        file.write(text)
