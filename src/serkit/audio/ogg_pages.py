"""The pages of an Ogg file, and the links of a chained one.

A chained Ogg holds several recordings one after another, as radio recorders and ``cat`` make them. libsndfile reads the
first of them.

Source: RFC 3533, section 6 (page header) and section 4 (chaining).
"""

from dataclasses import dataclass
from typing import BinaryIO

from serkit.audio.file_window import FileWindow
from serkit.audio.sectioned_file import byte_count

_BEGINS = 2  # flag of a stream's first page
_MARK = b"OggS\0"  # beginning of a page of version 0, the only one
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
    size = byte_count(stream)
    window = FileWindow(stream, size)
    links: list[OggLink] = []
    position, is_beginning = 0, False
    while position + _HEADER <= size:
        data, at = window.at(position)
        is_page = data.startswith(_MARK, at)
        body = at + _HEADER + data[at + _HEADER - 1] if is_page else 0
        if not is_page or body > len(data):
            found = data.find(_MARK, at + 1)
            position += found - at if found >= 0 else max(1, len(data) - at - len(_MARK) + 1)
            continue
        was_beginning, is_beginning = is_beginning, bool(data[at + 5] & _BEGINS)
        if is_beginning:
            if not was_beginning:
                links.append(OggLink(position, position, []))
            links[-1].codecs.append(data[body : body + 16])
        if not links:
            return []
        position = links[-1].end = min(position + body - at + sum(data[at + _HEADER : body]), size)
    return links
