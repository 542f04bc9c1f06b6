"""Files to read that are made of parts of other files and of bytes, without copying them, and files for C libraries."""

import errno
import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

Section = tuple[BinaryIO, int, int]  # file, start and end in bytes


def sectioned(*sections: Section | bytes) -> BinaryIO:
    """Return a file that reads like the sections put together.

    The files must stay open while the result is read; closing the result leaves them open.

    Args:
        sections: Bytes, or a file with the start and the end of the part to read.

    Example:
        >>> file = io.BytesIO(b"abcdef")
        >>> sectioned(b"-", (file, 1, 3), (file, 5, 6)).read()
        b'-bcf'
    """
    return io.BufferedReader(_Sections([_as_section(one) for one in sections]))


def byte_count(stream: BinaryIO) -> int:
    """Return the length of a file in bytes. The position of the stream is kept."""
    position = stream.tell()
    size = stream.seek(0, os.SEEK_END)
    stream.seek(position)
    return size


def read_at(stream: BinaryIO, position: int, count: int) -> bytes:
    """Return up to ``count`` bytes from a position; none behind the end of the file."""
    try:
        stream.seek(position)
    except (OSError, OverflowError, ValueError):  # a damaged header may point behind the largest possible file
        return b""
    return stream.read(count)


class ForDecoder:
    """A file as libsndfile and FFmpeg expect it: a seek before its start fails with a number, not with an exception.

    Damaged files make them try. An exception inside their callbacks would be printed, or end the decoding of a file of
    which the rest can be heard.

    Args:
        file: File. It stays open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._has_failed = False  # the last seek; soundfile asks for the position, and ignores what the seek returns
        self.read, self.readinto = file.read, file.readinto  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek, and return the new position or a negative number."""
        try:
            position = self._file.seek(offset, whence)
        except (OSError, ValueError):  # ValueError: raised by io.BytesIO
            self._has_failed = True
            return -errno.EINVAL
        self._has_failed = False
        return position

    def tell(self) -> int:
        """Return the position, or a negative number after a seek that failed."""
        return -1 if self._has_failed else self._file.tell()


def _as_section(one: Section | bytes) -> Section:
    return (io.BytesIO(one), 0, len(one)) if isinstance(one, bytes) else one


@dataclass(slots=True)
class _Place:
    """A section, and its start in the whole."""

    file: BinaryIO
    start: int
    length: int
    offset: int


class _Sections(io.RawIOBase):
    def __init__(self, sections: Sequence[Section]) -> None:
        self._places: list[_Place] = []
        offset = 0
        for file, start, end in sections:
            self._places.append(_Place(file, start, end - start, offset))
            offset += end - start
        self._offsets = [place.offset for place in self._places]
        self._size, self._position = offset, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}.")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._position >= self._size:
            return 0
        place = self._places[bisect_right(self._offsets, self._position) - 1]
        inside = self._position - place.offset
        data = read_at(place.file, place.start + inside, min(len(buffer), place.length - inside))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
