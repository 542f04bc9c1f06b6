"""Lists the audio files below a folder, and the tables that come with them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from serkit.errors import CorpusError

AUDIO_SUFFIXES = (".wav", ".flac", ".opus", ".ogg", ".mp3")  # of two files of one utterance, the earlier suffix is read
VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".flv", ".wmv", ".mpg", ".mpeg", ".m4v", ".3gp", ".asf")
SOUND_SUFFIXES = (*AUDIO_SUFFIXES, ".aiff", ".aif", ".m4a", ".aac", ".wma", ".amr", *VIDEO_SUFFIXES)


def sound_files(root: Path, suffixes: tuple[str, ...] = AUDIO_SUFFIXES) -> Iterator[PurePosixPath]:
    """Yield the sound files below a folder, at any depth and in sorted order.

    Links are followed, but no folder is visited twice. Hidden files and folders are skipped, such as the ``._name``
    files that macOS adds.

    Args:
        root: Folder to search.
        suffixes: File suffixes in lower case; file names may have them in any case.

    Yields:
        Paths relative to ``root``.

    Raises:
        CorpusError: If a folder cannot be listed.
    """
    return files_below(root, lambda name: name.lower().endswith(suffixes))


def files_below(root: Path, is_wanted: Callable[[str], bool]) -> Iterator[PurePosixPath]:
    """Yield the files below a folder whose name is wanted, in the way of :func:`sound_files`.

    Args:
        root: Folder to search.
        is_wanted: Function from a file's name to whether it is yielded.

    Yields:
        Paths relative to ``root``.

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
