"""The parts of an audio file that libsndfile reads one after another: a joined MP3 and a chained Ogg have several."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from serkit.audio.damage import DamageReport, several_files
from serkit.audio.mpeg_frames import find_parts, frame_header, missing_seconds, part_file
from serkit.audio.ogg_pages import find_links
from serkit.audio.sectioned_file import byte_count, read_at, sectioned
from serkit.audio.wav_header import checked_wav, is_wav, read_header

_BEGINNINGS = (  # of files of which only the first is read; long enough not to occur in sound by chance
    b"fLaC\0\0\0\x22",
    b"fLaC\x80\0\0\x22",
    b"WAVEfmt ",
    b"WAVEds64",
    b"OggS\0\2\0\0\0\0\0\0\0\0",
    b"ftypM4A ",
    b"ftypisom",
    b"caff\0\1\0\0desc",
    b".snd\0\0\0\x18",
    b"FLV\1\5\0\0\0\x09",
    b"FLV\1\4\0\0\0\x09",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c",  # ASF
    b"TTA1\1\0",
)
_ENDS_UNKNOWN = (b"RF64", b"FORM", b"caff", b".snd", b"FLV\1", b"TTA1", b"\x30\x26\xb2\x75")
_CHUNK = 1 << 20
_MISCOUNT = 2  # frames by which encoders miscount


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file.

    Attributes:
        open: Function that returns the part as a file of its own, whose buffer is thus needed for one part at a time.
        missing: Seconds of audio that are missing before it.
        is_whole_file: Whether the part is the file as it is.
    """

    open: Callable[[], BinaryIO]
    missing: float = 0.0
    is_whole_file: bool = False


def parts_of(stream: BinaryIO, name: str, damage: DamageReport) -> list[Part]:
    """Return the parts of a file, in order.

    Args:
        stream: File without ID3 tags at its beginning.
        name: Name of the file for messages.
        damage: Report on the file.

    Raises:
        TruncatedAudioError: If a WAV file is cut off, if another follows it, or if an MP3 file is damaged everywhere.
    """
    head = read_at(stream, 0, 4096)
    stream.seek(0)
    whole = [Part(lambda: stream, is_whole_file=True)]
    if is_wav(head):
        repaired = checked_wav(stream, read_header(stream), name, damage)
        stream.seek(0)
        return [Part(lambda: repaired)] if repaired is not None else whole
    if head[:4] == b"OggS":
        links = find_links(stream)
        stream.seek(0)
        is_whole = not links or (len(links) == 1 and links[0].end == byte_count(stream))  # libsndfile crawls over junk
        return whole if is_whole else [Part(partial(sectioned, (stream, link.start, link.end))) for link in links]
    if _may_be_mp3(head):
        return _mp3_parts(stream) or whole
    return whole


def _may_be_mp3(head: bytes) -> bool:
    """Return whether a layer III frame begins in the first bytes of a file of no other known format."""
    if head[:4] in (b"fLaC", b"FORM", b"RF64", b"riff", b"caff", b".snd", b"RIFX"):
        return False
    return any(frame_header(head, at) for at in range(len(head)) if head[at] == 0xFF)


def _mp3_parts(stream: BinaryIO) -> list[Part]:
    """Return the parts of an MP3 file; none if libsndfile reads it right as it is."""
    size = byte_count(stream)
    parts = find_parts(stream, size)
    stream.seek(0)
    if not parts or (len(parts) == 1 and parts[0].frames <= (parts[0].announced or 0) + _MISCOUNT):
        return []  # libsndfile compares the header with what is there
    missing = dict(missing_seconds(parts))
    return [Part(partial(part_file, stream, part), missing.get(number, 0.0)) for number, part in enumerate(parts)]


def check_follower(stream: BinaryIO, name: str, damage: DamageReport, *, seconds: float) -> None:
    """Check that no other file follows the end of one of which libsndfile or FFmpeg reads the first alone.

    Args:
        stream: File without ID3 tags at its beginning.
        name: Name of the file for messages.
        damage: Report on the file.
        seconds: Duration of the audio that was read.

    Raises:
        TruncatedAudioError: If another file follows, and damaged files are refused.
    """
    position = _search_start(stream)
    while position is not None and (chunk := read_at(stream, position, _CHUNK + 16)):
        found = _beginning_in(chunk)
        if found is not None:
            behind = byte_count(stream) - position - found
            damage.cut(seconds, None, several_files(name, "audio", behind))
            return
        position += _CHUNK


def _search_start(stream: BinaryIO) -> int | None:
    """Return the offset from which to search for other files; None if the decoder hears whatever follows."""
    head = read_at(stream, 0, 4096)
    if head.startswith(b"fLaC"):
        return _metadata_end(stream)
    if head.startswith(b"OggS"):
        links = find_links(stream)
        return links[-1].end if links else None
    if head.startswith(_ENDS_UNKNOWN) or is_wav(head):
        return 32
    if frame_header(head, 0) and (parts := find_parts(stream, byte_count(stream))):  # not of MP3 inside a video
        return parts[-1].end
    return None


def _beginning_in(chunk: bytes) -> int | None:
    """Return the offset of the first beginning of a file in a chunk.

    Python finds four bytes that do not end in zero fast; a mark that does takes ten times as long in a chunk of zeros.
    """
    if chunk.count(0) == len(chunk):  # a sparse file may have gigabytes of zeros
        return None
    found = []
    for head in {mark[:4] for mark in _BEGINNINGS}:
        at = chunk.find(head)
        while at >= 0 and not chunk.startswith(_BEGINNINGS, at):
            at = chunk.find(head, at + 1)
        if at >= 0:
            found.append(at)
    return min(found, default=None)


def _metadata_end(stream: BinaryIO) -> int:
    """Return the offset of a FLAC file's first frame."""
    position = 4
    while len(head := read_at(stream, position, 4)) == 4:
        position += 4 + int.from_bytes(head[1:])
        if head[0] & 0x80:
            break
    return position
