"""What a command line names as audio: files, folders with their sub-folders, pipes and standard input."""

import io
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from serkit.errors import AudioError, AudioTooLongError, AudioUnreadableError, NoSamplesError

STDIN = "-"
_MOST_BYTES = 1 << 30  # that are read from a pipe, which has no end of its own


class NamedBytes(io.BytesIO):
    """Bytes in memory that have a name for messages."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def named_files(names: Sequence[str]) -> list[tuple[str, AudioError | None]]:
    """Return the files that names stand for: a folder stands for the audio files in it and in its sub-folders.

    Args:
        names: Arguments of the command line.

    Returns:
        Names of files, and the name of a folder without audio files, with its error.
    """
    from serkit.data.audio_files import SOUND_SUFFIXES, sound_files

    found: list[tuple[str, AudioError | None]] = []
    for name in names:
        folder = Path(name)
        if name == STDIN or not folder.is_dir():
            found.append((name, None))
            continue
        below: list[tuple[str, AudioError | None]] = [
            (str(folder / path), None) for path in sound_files(folder, SOUND_SUFFIXES)
        ]
        error = NoSamplesError(f"the folder {name!r} has no audio files, by the endings of their names.")
        found += below or [(name, error)]
    return found


def opened(name: str) -> str | BinaryIO:
    """Return the audio that a name stands for: a path, or a file in memory with what a pipe or standard input gives.

    Raises:
        AudioError: If a pipe cannot be read, or gives too much.
    """
    if name == STDIN:
        return _read(sys.stdin.buffer, "standard input")
    try:
        is_pipe = stat.S_ISFIFO(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return name  # the reader of the path says what is wrong
    if not is_pipe:
        return name
    try:
        with Path(name).open("rb") as pipe:
            return _read(pipe, name)
    except OSError as error:
        raise AudioUnreadableError(f"cannot open {name!r}: {error.strerror or error}.") from error


def audio_of(files: Sequence[tuple[str, AudioError | None]]) -> Iterator[str | BinaryIO]:
    """Yield the audio of each name when it is asked for. An error is yielded as a file object that raises it."""
    for name, fault in files:
        try:
            yield opened(name) if fault is None else _Failed(fault)
        except AudioError as error:
            yield _Failed(error)


def _read(pipe: BinaryIO, name: str) -> NamedBytes:
    content = pipe.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise AudioTooLongError(f"{name} gives more than {_MOST_BYTES >> 20} MB; save it as a file.")
    if not content:
        raise NoSamplesError(f"{name} gives no bytes.")
    return NamedBytes(content, name)


class _Failed(io.BytesIO):
    """Audio that cannot be read: its error comes in the place of its answer, and the others are still answered."""

    def __init__(self, error: AudioError) -> None:
        super().__init__()
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        raise self._error
