"""The length of the samples that the headers of AIFF, AU, RF64 and W64 files state: libsndfile silently ignores it.

Sources: Apple's AIFF-C draft of 1991, the AU header of Sun's audio(4), EBU Tech 3306 (RF64), Sony's Wave 64 paper.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from serkit.audio.damage import DamageReport
from serkit.audio.sectioned_file import byte_count, read_at

_UNKNOWN = 0xFFFFFFFF  # length of AU from a pipe; in RF64 the ds64 chunk has it
_MOST_CHUNKS = 100
_W64 = b"riff\x2e\x91\xcf\x11"
_W64_NAME = 16  # bytes of a chunk's name, which is a GUID


def check_announced_size(stream: BinaryIO, name: str, damage: DamageReport, *, seconds: float) -> None:
    """Check that the samples of an AIFF, AU, RF64 or W64 file are complete.

    Args:
        stream: File.
        name: Name of the file for messages.
        damage: Report on the file.
        seconds: Duration of the audio that was read.

    Raises:
        TruncatedAudioError: If more than 0.1 s is missing.
    """
    start, length = _announced(stream)
    there = byte_count(stream) - start
    if 0 < there < length:
        message = f"{name} is cut off: it has {there} of {length} bytes of audio."
        damage.cut(seconds, seconds * length / there, message)


def _announced(stream: BinaryIO) -> tuple[int, int]:
    """Return the offset of the samples and their length in bytes; the length is 0 if it is unknown."""
    head = read_at(stream, 0, 16)
    if head[:4] == b".snd" and len(head) == 16:
        start, length = struct.unpack(">II", head[4:12])
        return start, 0 if length == _UNKNOWN else length
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        found = dict(_chunks(stream, ">4sI", 12))
        start, length = found.get(b"SSND", (0, 0))
        return start + 8, length - 8  # behind two numbers
    if head[:4] == b"RF64" and head[8:12] == b"WAVE":
        found = dict(_chunks(stream, "<4sI", 12))
        start, length = found.get(b"data", (0, 0))
        sizes = read_at(stream, found[b"ds64"][0], 16) if b"ds64" in found else b""
        if length == _UNKNOWN and len(sizes) == 16:
            length = int.from_bytes(sizes[8:], "little")
        return start, 0 if length == _UNKNOWN else length
    if head[:8] == _W64:
        return _announced_by_w64(stream)
    return 0, 0


def _chunks(stream: BinaryIO, form: str, position: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield name, and start and length, of the chunks up to the samples."""
    for _ in range(_MOST_CHUNKS):
        head = read_at(stream, position, 8)
        if len(head) < 8:
            return
        name, length = struct.unpack(form, head)
        yield name, (position + 8, length)
        if name in (b"SSND", b"data"):
            return
        position += 8 + length + length % 2


def _announced_by_w64(stream: BinaryIO) -> tuple[int, int]:
    position = 40
    for _ in range(_MOST_CHUNKS):
        head = read_at(stream, position, _W64_NAME + 8)
        length = int.from_bytes(head[_W64_NAME:], "little")  # with the 24 bytes of the head
        if len(head) < _W64_NAME + 8 or length < len(head):
            break
        if head[:4] == b"data":
            return position + len(head), length - len(head)
        position += (length + 7) // 8 * 8
    return 0, 0
