"""Container formats: recognized by the first bytes of a file, never by its suffix, and checked for what FFmpeg ignores.

libsndfile cannot read MP4, AVI, Matroska and others; :mod:`serkit.audio.media` decodes them.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

from serkit.audio.damage import DamageReport, several_files
from serkit.audio.ogg_pages import find_links
from serkit.audio.sectioned_file import byte_count, read_at
from serkit.audio.wav_header import is_wav, read_header
from serkit.errors import TruncatedAudioError, UnknownAudioFormatError

_EBML = b"\x1a\x45\xdf\xa3"  # first bytes of a Matroska file
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # ASF: ID of the object with the file size
_SEGMENT = b"\x18\x53\x80\x67"  # Matroska: ID of the element that holds everything after the header


@dataclass(frozen=True, slots=True)
class Container:
    """A container format.

    Attributes:
        title: Name for messages.
        demuxer: FFmpeg's name.
        is_timed: Whether packets carry their own timestamps, rather than ones computed from their sizes.
        slack: Number of bytes between two packets that may belong to neither; more are damage. None if unknown.
    """

    title: str
    demuxer: str
    is_timed: bool = True
    slack: int | None = None


AVI = Container("AVI", "avi", is_timed=False)
_OGG = Container("Ogg", "ogg")
_WAV = Container("WAV", "wav", is_timed=False)
_FLAC = Container("FLAC", "flac")
_CAF = Container("CAF", "caf", is_timed=False)
MP4 = Container("MP4", "mov")
MATROSKA = Container("Matroska", "matroska", slack=2048)
ASF = Container("ASF", "asf")
FLV = Container("FLV", "flv")
_MPEG_TS = Container("MPEG-TS", "mpegts")
_SIGNATURES = {
    rb"RIFF.{4}AVI ": AVI,
    rb"\0.{3}(ftyp|moov|free|skip|wide|pnot)|.{4}mdat": MP4,  # MOV, M4A and 3GP too
    rb"\x1a\x45\xdf\xa3": MATROSKA,  # WebM too
    rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11": ASF,  # WMA and WMV
    rb"FLV\x01": FLV,
    rb"\0\0\x01\xba": Container("MPEG-PS", "mpeg"),
    rb"(G.{187}){2}G": _MPEG_TS,
    rb".{4}(G.{191}){2}G": _MPEG_TS,  # with a timestamp before each packet, as cameras write it
    rb"\xff[\xf0\xf1\xf8\xf9]": Container("AAC", "aac", is_timed=False, slack=512),  # MP3 differs in the next two bits
    rb"#!AMR": Container("AMR", "amr", is_timed=False, slack=0),
    rb"caff.{24}(?!lpcm|alaw|ulaw)": _CAF,  # Apple's; iMessage sends Opus in it, and libsndfile reads the three alone
    rb"\x0b\x77": Container("AC-3", "ac3", is_timed=False, slack=512),
    rb"wvpk": Container("WavPack", "wv", is_timed=False),
    rb"TTA1": Container("TTA", "tta", is_timed=False),
    rb"MAC ": Container("Monkey's Audio", "ape", is_timed=False),
    rb"\x2eRMF": Container("RealMedia", "rm"),
}
_WITHOUT_BEGINNING = {  # later pieces of a recording that was cut into pieces
    rb"\x1f\x43\xb6\x75": "a WebM",
    rb"\0.{3}(moof|sidx)": "an MP4",
    rb"OggS\0[\0\x01\x04\x05]": "an Ogg",
}
_LONGEST_SIGNATURE = 389
_MOST_BOXES = 1_000_000  # of an MP4 file; ten hours in pieces of a tenth of a second have 720,000


def container_of(stream: BinaryIO) -> Container | None:
    """Recognize a container by its first bytes, and rewind the stream.

    Returns:
        The container, or None for a file that libsndfile should read.
    """
    head = read_at(stream, 0, _LONGEST_SIGNATURE)
    stream.seek(0)
    if is_wav(head):
        is_for_libsndfile = read_header(stream).is_for_libsndfile
        stream.seek(0)
        return None if is_for_libsndfile else _WAV
    if head[:4] == b"OggS":
        is_for_libsndfile = all(link.is_for_libsndfile for link in find_links(stream))
        stream.seek(0)
        return None if is_for_libsndfile else _OGG
    return next((kind for pattern, kind in _SIGNATURES.items() if re.match(pattern, head, re.DOTALL)), None)


def lenient_container_of(stream: BinaryIO) -> Container | None:
    """Return the container of a damaged FLAC or Ogg file, of which FFmpeg can read what libsndfile cannot."""
    head = read_at(stream, 0, 4)
    stream.seek(0)
    return {b"fLaC": _FLAC, b"OggS": _OGG}.get(head)


def check_beginning(stream: BinaryIO, name: str) -> None:
    """Refuse a later piece of a recording, such as browsers send one by one.

    Raises:
        UnknownAudioFormatError: If the file begins in the middle of a recording.
    """
    head = read_at(stream, 0, 16)
    stream.seek(0)
    for pattern, title in _WITHOUT_BEGINNING.items():
        if re.match(pattern, head, re.DOTALL):
            raise UnknownAudioFormatError(
                f"{name} is a later piece of {title} recording, and the beginning is missing; send all pieces of one "
                "recording, joined in order."
            )


def check_segment(stream: BinaryIO, name: str, damage: DamageReport) -> None:
    """Check that a Matroska file is as long as its header says, since FFmpeg does not, and that no other one follows.

    Source: RFC 8794, section 4 (the leading zeros of a number give its length) and 6.2 (unknown sizes).
    """
    head = read_at(stream, 0, 4096)
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if at < len(_SEGMENT) or not head[at : at + 1]:
        return
    width = 9 - head[at].bit_length()
    limit = 1 << 7 * width
    size = int.from_bytes(head[at : at + width]) % limit
    there, expected = byte_count(stream), at + width + size
    if size != limit - 1 and there < expected and not damage.does_skip:  # all ones: a recording without a length
        raise TruncatedAudioError(f"{name} is cut off: it has {there} of {expected} bytes.")
    if size != limit - 1 and read_at(stream, expected, 4) == _EBML:
        damage.cut_at_end(several_files(name, "Matroska", there - expected))


def check_asf_size(stream: BinaryIO, name: str, damage: DamageReport) -> None:
    """Check that an ASF file is as long as its header says, since FFmpeg does not.

    Source: Advanced Systems Format specification, 3.2 (file properties object).
    """
    head = read_at(stream, 0, 8192)
    at = head.find(_FILE_PROPERTIES) + 40
    expected, there = int.from_bytes(head[at : at + 8], "little"), byte_count(stream)
    if at >= 40 and there < expected and not damage.does_skip:
        raise TruncatedAudioError(f"{name} is cut off: it has {there} of {expected} bytes.")


def check_boxes(stream: BinaryIO, name: str, damage: DamageReport) -> None:
    """Check that a single MP4 file stands in the file, since FFmpeg reads the first alone.

    Raises:
        TruncatedAudioError: If another file follows.
        UnknownAudioFormatError: If the file has so many boxes that FFmpeg would read them for minutes.

    Source: ISO/IEC 14496-12, 4.2 (boxes).
    """
    position, size, indexes = 0, byte_count(stream), 0
    for _ in range(_MOST_BOXES):
        if position + 8 > size:
            return
        head = read_at(stream, position, 16)
        length, kind = int.from_bytes(head[:4]), head[4:8]
        if kind == b"ftyp" and indexes:
            damage.cut_at_end(several_files(name, "MP4", size - position))
            return
        indexes += kind in (b"moov", b"mdat")
        length = int.from_bytes(head[8:16]) if length == 1 else length
        if length < 8:  # 0: to the end of the file
            return
        position += length
    raise UnknownAudioFormatError(f"{name} has more than {_MOST_BOXES:,} MP4 boxes, which no recorder writes.")
