"""FileWindow: a file that is looked at piece by piece from its beginning to its end, without a read for each piece."""

from typing import BinaryIO

_CHUNK = 1 << 20
_AHEAD = 2048  # bytes


class FileWindow:
    """Reads a file in large chunks, and gives at least 2 kB behind any offset where the file has them.

    Args:
        stream: File.
        size: Length of the file in bytes.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self._start, self._data = 0, b""

    def at(self, position: int) -> tuple[bytes, int]:
        """Return a chunk, and the offset of the position in it."""
        inside = position - self._start
        if inside < 0 or (inside + _AHEAD > len(self._data) and self._start + len(self._data) < self._size):
            self._stream.seek(position)
            self._start, self._data, inside = position, self._stream.read(_CHUNK), 0
        return self._data, inside
