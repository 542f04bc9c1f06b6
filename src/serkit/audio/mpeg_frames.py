"""The frames of an MP3 file, counted one by one.

libsndfile believes the Xing header of a file, or estimates the length from the first frame. So it stops after the first
of two joined files, and in the middle of a file of variable bit rate without a Xing header. This module finds the parts
that such a file consists of, and gives each a header with its true number of frames.

Source: ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3 (header); the Xing header as LAME writes it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from serkit.audio.file_window import FileWindow
from serkit.audio.sectioned_file import Section, sectioned
from serkit.audio.tags import tag_size
from serkit.errors import TruncatedAudioError

_V1_RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s, layer III
_V2_RATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLING_RATES = (44_100, 48_000, 32_000)  # Hz, of MPEG 1
_LATEST_START = 1 << 16  # bytes before the first frame, beside tags
_MOST_SKIPS = 100_000  # places in a file that look like a frame and are none; a file of 0xFF would have millions
_MARK = re.compile(rb"\xff|ID3|TAG|APETAGEX")  # beginnings of a frame and of tags
_SURE = 3  # consecutive frames that make a beginning certain


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The header of one frame.

    Attributes:
        size: Length of the frame in bytes.
        samples: Number of samples in the frame.
        rate: Sampling rate in Hz.
        is_mpeg1: Whether the frame is MPEG 1, rather than 2 or 2.5.
        is_mono: Whether the frame has one channel.
    """

    size: int
    samples: int
    rate: int
    is_mpeg1: bool
    is_mono: bool

    @property
    def xing_offset(self) -> int:
        """Offset in bytes at which a Xing header stands in the frame."""
        return 4 + ((17 if self.is_mono else 32) if self.is_mpeg1 else (9 if self.is_mono else 17))


@dataclass(slots=True)
class MpegPart:
    """A stretch of frames without an interruption.

    Attributes:
        start: Offset of the first frame, that of the Xing header included.
        end: Offset behind the last frame.
        header: Header of the first frame.
        frames: Number of frames, without that of the Xing header.
        announced: Number of frames that the Xing header states. None if there is no header, or it states none.
        has_xing: Whether the first frame is a Xing header.
        lost: Number of bytes before the part that are neither frames nor tags.
    """

    start: int
    end: int
    header: FrameHeader
    frames: int = 0
    announced: int | None = None
    has_xing: bool = False
    lost: int = 0

    @property
    def seconds(self) -> float:
        """Duration of the frames in seconds."""
        return self.frames * self.header.samples / self.header.rate


@lru_cache(maxsize=512)
def _header(bits: int) -> FrameHeader | None:
    """Read the first 23 bits of a frame and the channel mode. None if they are no header of layer III."""
    mode, bits = bits & 3, bits >> 2
    version, layer, bit_rate, rate, padding = bits >> 10 & 3, bits >> 8 & 3, bits >> 3 & 15, bits >> 1 & 3, bits & 1
    if bits >> 12 != 0x7FF or version == 1 or layer != 1 or bit_rate in (0, 15) or rate == 3:
        return None
    is_mpeg1 = version == 3
    hertz = _SAMPLING_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 1152 if is_mpeg1 else 576
    size = samples // 8 * (_V1_RATES if is_mpeg1 else _V2_RATES)[bit_rate] * 1000 // hertz + padding
    return FrameHeader(size, samples, hertz, is_mpeg1, mode == 3)


def frame_header(data: bytes, at: int) -> FrameHeader | None:
    """Return the header of the layer III frame at an offset, or None if there is none."""
    if len(data) - at < 4 or data[at] != 0xFF:
        return None
    word = int.from_bytes(data[at : at + 4])
    return _header(word >> 9 << 2 | word >> 6 & 3)


def find_parts(stream: BinaryIO, size: int) -> list[MpegPart]:
    """Find the parts of an MP3 file.

    A new part begins at a Xing header, behind a tag in the middle, behind damage, and where the sampling rate changes.

    Args:
        stream: File, which is read whole.
        size: Length of the file in bytes.

    Returns:
        Parts in order; empty if the file has no frames of layer III, or of the free format.

    Raises:
        TruncatedAudioError: If there are too many interruptions to look at the whole file.
    """
    parts: list[MpegPart] = []
    window = FileWindow(stream, size)
    at = lost = skips = 0
    part: MpegPart | None = None
    while at + 4 <= size:
        data, offset = window.at(at)
        header = frame_header(data, offset)
        if header is None or (part is None and not _is_sure(window, at)):
            skips += 1
            if parts and skips > _MOST_SKIPS:
                raise TruncatedAudioError(f"the MP3 file is damaged: its frames are interrupted {skips} times.")
            if skips > _MOST_SKIPS or (not parts and at > _LATEST_START):
                break
            skipped, is_tag = _skip(window, at, size)
            lost, part = lost + (0 if is_tag else skipped), None
            at += skipped
            continue
        if at + header.size > size:
            break  # the last frame is cut off
        announced, is_xing = _xing(data, offset, header)
        if part is None or is_xing or _differs(part.header, header):
            part = MpegPart(at, at, header, announced=announced, has_xing=is_xing, lost=lost if parts else 0)
            parts.append(part)
            lost = 0
        part.frames += not is_xing
        at = part.end = at + header.size
    return [one for one in parts if one.frames]


def part_file(stream: BinaryIO, part: MpegPart) -> BinaryIO:
    """Return a part as an MP3 file with a Xing header that states its true number of frames."""
    section: Section = (stream, part.start, part.end)
    if part.has_xing and part.announced == part.frames:
        return sectioned(section)
    stream.seek(part.start)
    first = stream.read(part.header.size)
    if part.has_xing:
        section = (stream, part.start + part.header.size, part.end)
    return sectioned(_xing_frame(first, part), section)


def _xing_frame(first: bytes, part: MpegPart) -> bytes:
    """Return a frame that holds nothing but a Xing header, in the form of the part's first frame."""
    head = bytearray(first[:4])
    head[1] |= 1  # no checksum
    head[2] = head[2] & 0x0D | 0xA0  # a bit rate with room for it, no padding
    header = frame_header(bytes(head), 0)
    assert header is not None
    frame = bytearray(header.size)
    frame[:4] = head
    at = header.xing_offset
    frame[at : at + 12] = b"Xing\0\0\0\x01" + part.frames.to_bytes(4)
    return bytes(frame)


def _is_sure(window: FileWindow, at: int) -> bool:
    """Return whether enough frames of one kind follow each other from an offset on."""
    first: FrameHeader | None = None
    for _ in range(_SURE):
        data, offset = window.at(at)
        header = frame_header(data, offset)
        if offset >= len(data):
            return first is not None  # the file ends with the last frame
        if header is None or (first is not None and _differs(first, header)):
            return first is not None and tag_size(data, offset) > 0
        first = first or header
        at += header.size
    return True


def _differs(one: FrameHeader, other: FrameHeader) -> bool:
    return one.rate != other.rate or one.is_mpeg1 != other.is_mpeg1


def _skip(window: FileWindow, at: int, size: int) -> tuple[int, bool]:
    """Return the number of bytes to the next possible frame or tag, and whether a tag was skipped."""
    data, offset = window.at(at)
    if tag := tag_size(data, offset):
        return min(tag, size - at), True
    match = _MARK.search(data, offset + 1)
    found = match.start() if match else len(data)
    return found - offset, not data[offset:found].strip(b"\0")  # zeros are padding


def _xing(data: bytes, at: int, header: FrameHeader) -> tuple[int | None, bool]:
    """Return the number of frames that a Xing header states, and whether the frame is one."""
    start = at + header.xing_offset
    if data[start : start + 4] not in (b"Xing", b"Info"):
        return None, data[at + 36 : at + 40] == b"VBRI"
    has_count = len(data) >= start + 12 and data[start + 7] & 1
    return int.from_bytes(data[start + 8 : start + 12]) if has_count else None, True


def missing_seconds(parts: list[MpegPart]) -> Iterator[tuple[int, float]]:
    """Yield the number of each part before which audio is missing, and an estimate of its duration in seconds."""
    for number, part in enumerate(parts):
        if part.lost:
            before = parts[number - 1]
            mean = (before.end - before.start) / before.frames  # bytes in a frame
            yield number, part.lost / mean * before.header.samples / before.header.rate
