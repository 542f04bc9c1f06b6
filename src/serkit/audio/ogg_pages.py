"""The pages of an Ogg file, and the links of a chained one.

A chained Ogg holds several recordings one after another, as radio recorders and ``cat`` make them. libsndfile reads the
first of them.

Source: RFC 3533, section 6 (page header) and section 4 (chaining).
"""

import os
from dataclasses import dataclass
from typing import BinaryIO

from serkit.audio.sectioned_file import read_at

_BEGINS = 2  # flag of a stream's first page
_CHUNK = 1 << 20
_HEADER = 27  # bytes, before the table of segments
_FOR_LIBSNDFILE = (b"\x01vorbis", b"OpusHead")


@dataclass(slots=True)
class OggLink:
    """One recording in an Ogg file.

    Attributes:
        start: Offset of its first page.
        end: Offset behind its last page.
        codecs: First bytes of each of its streams.
    """

    start: int
    end: int
    codecs: list[bytes]

    @property
    def is_for_libsndfile(self) -> bool:
        """Whether libsndfile can read it: one stream of Vorbis or Opus."""
        return len(self.codecs) == 1 and self.codecs[0].startswith(_FOR_LIBSNDFILE)


def find_links(stream: BinaryIO) -> list[OggLink]:
    """Find the links of an Ogg file. Bytes between pages that belong to none are passed over.

    Args:
        stream: File, which is read in part.

    Returns:
        Links in order. Empty if the file does not begin with the beginning of a stream.
    """
    size = stream.seek(0, os.SEEK_END)
    links: list[OggLink] = []
    position, is_beginning = 0, False
    while position + _HEADER <= size:
        head = read_at(stream, position, _HEADER + 255)
        if head[:4] != b"OggS" or len(head) < _HEADER + head[26]:
            position = _next_page(stream, position + 1)
            continue
        table = head[_HEADER : _HEADER + head[26]]
        body = position + _HEADER + len(table)
        if head[5] & _BEGINS:
            if not is_beginning:
                links.append(OggLink(position, position, []))
            links[-1].codecs.append(read_at(stream, body, 16))
        is_beginning = bool(head[5] & _BEGINS)
        if not links:
            return []
        position = links[-1].end = min(body + sum(table), size)
    return links


def _next_page(stream: BinaryIO, position: int) -> int:
    """Return the offset of the next page from a position on, or one behind the file."""
    while chunk := read_at(stream, position, _CHUNK):
        if (found := chunk.find(b"OggS")) >= 0:
            return position + found
        position += max(1, len(chunk) - 3)
        if len(chunk) < _CHUNK:
            break
    return stream.seek(0, os.SEEK_END)
