"""Tags in audio files: ID3 at the beginning, ID3v1 and APE at the end, and all of them between joined MP3 files.

Source: id3.org, ID3v2.4.0 structure, 3.1 (header) and 3.4 (footer); APEv2 tag specification (header and footer).
"""

from typing import BinaryIO

from serkit.audio.sectioned_file import byte_count, read_at, sectioned

_ID3 = b"ID3"
_ID3_HEAD = 10  # bytes
_ID3V1 = 128
_APE_HEAD = 32
_MOST_TAGS = 1000  # at the beginning of a file; a crafted one could have one every ten bytes


def tag_size(data: bytes, at: int = 0) -> int:
    """Return the length in bytes of the tag whose beginning stands at an offset; 0 if there is none."""
    if data.startswith(b"APETAGEX", at):
        return _ape_size(data[at : at + _APE_HEAD])
    if data.startswith(b"TAG", at):
        return _ID3V1
    return _id3_size(data[at : at + _ID3_HEAD])


def without_id3(stream: BinaryIO) -> BinaryIO:
    """Return the file without the ID3 tags at its beginning, which hide what it is; the same file if it has none."""
    start, size = 0, byte_count(stream)
    for _ in range(_MOST_TAGS):
        length = _id3_size(read_at(stream, start, _ID3_HEAD))
        if not length:
            break
        start += length
    stream.seek(0)
    return sectioned((stream, min(start, size), size)) if start else stream


def without_end_tags(stream: BinaryIO) -> BinaryIO:
    """Return the file without the ID3v1 and APE tags at its end, which are no sound; the same file if it has none."""
    size = end = byte_count(stream)
    if end >= _ID3V1 and read_at(stream, end - _ID3V1, 3) == b"TAG":
        end -= _ID3V1
    end -= _ape_size(read_at(stream, max(0, end - _APE_HEAD), _APE_HEAD))
    stream.seek(0)
    return sectioned((stream, 0, end)) if 0 < end < size else stream


def _id3_size(head: bytes) -> int:
    """Return the length of the ID3v2 tag with this header; 0 if it is none."""
    if len(head) < _ID3_HEAD or not head.startswith(_ID3):
        return 0
    a, b, c, d = (value & 127 for value in head[6:10])
    return _ID3_HEAD + (a << 21 | b << 14 | c << 7 | d) + (_ID3_HEAD if head[5] & 16 else 0)


def _ape_size(head: bytes) -> int:
    """Return the length of the APE tag with this header or footer; 0 if it is none."""
    if len(head) < _APE_HEAD or not head.startswith(b"APETAGEX"):
        return 0
    return int.from_bytes(head[12:16], "little") + (_APE_HEAD if head[23] & 0x80 else 0)
