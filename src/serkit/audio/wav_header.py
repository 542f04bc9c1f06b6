"""The chunks of a WAV file: libsndfile silently accepts one that was cut off, and refuses others that players play."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from serkit.audio.damage import DamageReport, several_files
from serkit.audio.resampling import check_rate
from serkit.audio.sectioned_file import byte_count, read_at, sectioned
from serkit.errors import TruncatedAudioError

_STREAMED_SIZE = 0x7FFFF000  # placeholder of SoX for an unknown size; those of arecord and ffmpeg are larger
_TAGS = {1, 2, 3, 6, 7, 17, 49, 85, 0xFFFE}  # format tags that libsndfile reads
_UNCOMPRESSED = {1, 3, 6, 7, 0xFFFE}
_KNOWN = (b"fmt ", b"data", b"LIST", b"fact", b"cue ", b"bext", b"smpl", b"id3 ", b"JUNK", b"PEAK")
_LONGEST = 100  # chunks; real files have a few before the data, and a file of zeros would have millions


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What the chunks of a WAV file say.

    Attributes:
        riff_end: Offset behind the file by its RIFF header.
        form: Content of the ``fmt`` chunk; empty if there is none.
        start: Offset of the samples; 0 if there is no data chunk.
        length: Length of the samples in bytes, by the data chunk.
        is_regular: Whether chunks of odd length are padded, as libsndfile expects.
    """

    riff_end: int
    form: bytes
    start: int
    length: int
    is_regular: bool

    @property
    def tag(self) -> int:
        """Format tag."""
        return int.from_bytes(self.form[:2], "little")

    @property
    def rate(self) -> int:
        """Sampling rate in Hz."""
        return int.from_bytes(self.form[4:8], "little")

    @property
    def byte_rate(self) -> int:
        """Number of bytes in a second; at least 1. What the header states is believed for compressed audio only."""
        channels, bits = (int.from_bytes(self.form[at : at + 2], "little") for at in (2, 14))
        if self.tag in _UNCOMPRESSED:
            return max(1, self.rate * channels * bits // 8)
        stated = int.from_bytes(self.form[8:12], "little")
        return stated or max(1, self.rate * channels // 2)  # 4 bits a sample are usual

    @property
    def is_for_libsndfile(self) -> bool:
        """Whether libsndfile has a decoder for the format tag."""
        return not self.form or self.tag in _TAGS


def is_wav(head: bytes) -> bool:
    """Return whether a file with these first bytes is a WAV file."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def read_header(stream: BinaryIO) -> WavHeader:
    """Read the chunks of a WAV file up to its samples."""
    riff_end = 8 + struct.unpack("<I", read_at(stream, 4, 4))[0]
    form, start, length, is_regular = b"", 0, 0, True
    for name, at, size, is_padded in _chunks(stream):
        is_regular = is_regular and is_padded
        if name == b"fmt ":
            form = read_at(stream, at, min(size, 64))
        elif name == b"data":
            start, length = at, size
            break
    return WavHeader(riff_end, form, start, length, is_regular)


def checked_wav(stream: BinaryIO, header: WavHeader, name: str, damage: DamageReport) -> BinaryIO | None:
    """Check that the samples of a WAV file are complete.

    A program that streams, or is killed, may leave a data size of 0. Some tools count a part of the header, and some do
    not pad a chunk of odd length. Such a file is read like a player does.

    Args:
        stream: File.
        header: Header of the file.
        name: Name of the file for messages.
        damage: Report on the file.

    Returns:
        A file with a header that libsndfile reads, or None if its own does.

    Raises:
        TruncatedAudioError: If more than 0.1 s is missing, or if another WAV file follows.
    """
    size = byte_count(stream)
    if len(header.form) >= 8:
        check_rate(header.rate, name)
    if not header.start:
        if header.riff_end < _STREAMED_SIZE and header.riff_end > size:
            raise TruncatedAudioError(f"{name} is cut off: it has {size} of {header.riff_end} bytes.")
        return None
    end = header.start + header.length
    if header.length == 0 and size > header.start and not _is_chunked(stream, header.start, size):
        return _rebuilt(stream, header, size)
    if header.length >= _STREAMED_SIZE:
        return None if header.is_regular else _rebuilt(stream, header, size)
    if end > size:
        there, whole = size - header.start, header.length
        message = f"{name} is cut off: it has {there} of {whole} bytes of audio."
        damage.cut(there / header.byte_rate, whole / header.byte_rate, message)
        return _rebuilt(stream, header, size)
    if any(is_wav(read_at(stream, start, 12)) for start in (end, end + end % 2, min(header.riff_end, size))):
        damage.cut(header.length / header.byte_rate, None, several_files(name, "WAV", size - end))
        return _rebuilt(stream, header, end)
    return None if header.is_regular else _rebuilt(stream, header, end)


def _rebuilt(stream: BinaryIO, header: WavHeader, end: int) -> BinaryIO:
    """Return the samples behind a new header."""
    form = header.form + b"\0" * (len(header.form) % 2)
    length = min(end - header.start, 0xFFFFFFFF - 64)
    chunks = b"fmt " + struct.pack("<I", len(header.form)) + form + b"data" + struct.pack("<I", length)
    riff = b"RIFF" + struct.pack("<I", min(4 + len(chunks) + length, 0xFFFFFFFF)) + b"WAVE"
    return sectioned(riff + chunks, (stream, header.start, header.start + length))


def _is_chunked(stream: BinaryIO, position: int, size: int) -> bool:
    """Return whether whole chunks fill the file from a position to its end, so that it has no samples there."""
    for _ in range(_LONGEST):
        if position + 8 > size:
            return size <= position <= size + 1
        name, length = struct.unpack("<4sI", read_at(stream, position, 8))
        if not _is_name(name):
            return False
        position += 8 + length + length % 2
    return True


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int, bool]]:
    """Yield name, start and length of the first chunks, and whether the chunk before was padded as it should be."""
    position, is_padded = 12, True
    for _ in range(_LONGEST):
        header = read_at(stream, position, 8)
        if position > 12 and header[:4] not in _KNOWN:  # the chunk before may be of odd length and without padding
            shifted = read_at(stream, position - 1, 8)
            if shifted[:4] in _KNOWN:
                position, header, is_padded = position - 1, shifted, False
        if len(header) < 8:
            return
        name, length = struct.unpack("<4sI", header)
        yield name, position + 8, length, is_padded
        position, is_padded = position + 8 + length + length % 2, True


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= character < 127 for character in name)
