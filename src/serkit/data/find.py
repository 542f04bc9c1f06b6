"""Where files lie below a folder: sound, and the tables that come with it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from serkit.errors import CorpusError

AUDIO_SUFFIXES = (".wav", ".flac", ".opus", ".ogg", ".mp3")  # of two files of one utterance the earlier kind is read
VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".flv", ".wmv", ".mpg", ".mpeg", ".m4v", ".3gp", ".asf")
SOUND_SUFFIXES = (*AUDIO_SUFFIXES, ".aiff", ".aif", ".m4a", ".aac", ".wma", ".amr", *VIDEO_SUFFIXES)


def sound_files(root: Path, suffixes: tuple[str, ...] = AUDIO_SUFFIXES) -> Iterator[PurePosixPath]:
    """Yield sound files below a folder, at any depth and in sorted order, through links but no folder twice.

    Args:
        root: The folder.
        suffixes: The kinds of files, lower case; names may have them in any case.

    Yields:
        Paths relative to the root. What is hidden is passed over, such as the ``._name`` that macOS leaves behind.

    Raises:
        CorpusError: If a folder cannot be listed.
    """
    return files_below(root, lambda name: name.lower().endswith(suffixes))


def files_below(root: Path, is_wanted: Callable[[str], bool]) -> Iterator[PurePosixPath]:
    """Yield files below a folder by their names, as :func:`sound_files` does.

    Raises:
        CorpusError: If a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise CorpusError(f"cannot list {error.filename!r}: {error.strerror}.") from error

    seen = set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        place = PurePosixPath(Path(folder).relative_to(root).as_posix())
        for name in sorted(names):
            if is_wanted(name) and not name.startswith("."):
                yield place / name
