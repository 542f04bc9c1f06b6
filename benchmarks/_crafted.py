"""Parts of sound files made by hand: frames, pages, boxes and elements that no encoder would write."""

import struct
from functools import cache

from serkit.audio.mpeg_frames import frame_header


@cache
def _crc_table(width: int, polynomial: int) -> tuple[int, ...]:
    table, mask = [], (1 << width) - 1
    for byte in range(256):
        value = byte << width - 8
        for _ in range(8):
            value = value << 1 & mask ^ (polynomial if value >> width - 1 else 0)
        table.append(value)
    return tuple(table)


def _crc(data: bytes, width: int, polynomial: int) -> int:
    """Return the checksum of data, with the most significant bit first and a start at 0."""
    table, crc, mask = _crc_table(width, polynomial), 0, (1 << width) - 1
    for byte in data:
        crc = (crc << 8 & mask) ^ table[crc >> width - 8 ^ byte]
    return crc


def flac_header(rate: int, channels: int, samples: int) -> bytes:
    """Return the beginning of a FLAC file; RFC 9639, section 8."""
    about = rate << 44 | channels - 1 << 41 | 15 << 36 | samples
    return b"fLaC\x80\0\0\x22" + struct.pack(">HH", 65_535, 65_535) + bytes(6) + about.to_bytes(8) + bytes(16)


def silent_flac(rate: int, channels: int, seconds: float, *, is_length_known: bool = True) -> bytes:
    """Return silence as FLAC, in frames of 65,535 samples that take a few bytes each; RFC 9639, section 9."""
    count = round(seconds * rate / 65_535)
    parts = [flac_header(rate, channels, count * 65_535 if is_length_known else 0)]
    for number in range(count):
        code, shown = (14, rate // 10) if rate > 65_535 else (13, rate)
        head = bytes([0xFF, 0xF8, 7 << 4 | code, channels - 1 << 4 | 8]) + chr(number).encode("utf-8", "surrogatepass")
        head += struct.pack(">HH", 65_534, shown)
        frame = head + bytes([_crc(head, 8, 0x07)]) + bytes(3 * channels)  # constant subframes
        parts.append(frame + _crc(frame, 16, 0x8005).to_bytes(2))
    return b"".join(parts)


def ogg_page(packets: list[bytes], *, granule: int, number: int, flags: int = 0, serial: int = 1) -> bytes:
    """Return a page of an Ogg file; RFC 3533, section 6."""
    table = b"".join(b"\xff" * (len(one) // 255) + bytes([len(one) % 255]) for one in packets)
    head = b"OggS\0" + struct.pack("<BqIII", flags, granule, serial, number, 0) + bytes([len(table)]) + table
    page = head + b"".join(packets)
    return page[:22] + struct.pack("<I", _crc(page, 32, 0x04C11DB7)) + page[26:]


def silent_opus(seconds: float, *, is_last: bool = False) -> bytes:
    """Return silence as Ogg Opus, in packets of 120 ms and two bytes; RFC 6716, section 3.2.5, and RFC 7845."""
    pages = [
        ogg_page([b"OpusHead\1\1" + struct.pack("<HIhB", 0, 48_000, 0, 0)], granule=0, number=0, flags=2),
        ogg_page([b"OpusTags" + bytes(8)], granule=0, number=1),
    ]
    left, granule = round(seconds / 0.12), 0
    while left > 0:
        count = min(left, 255)
        left, granule = left - count, granule + count * 5760
        flags = 4 if is_last and left <= 0 else 0
        pages.append(ogg_page([b"\xfb\6"] * count, granule=granule, number=len(pages), flags=flags))
    return b"".join(pages)


def mp3_frame(*, kbits: int = 8, rate: int = 16_000, xing: int | None = None) -> bytes:
    """Return a silent frame of MPEG 2, layer III, mono; with ``xing``, a header that states that number of frames."""
    rates = (0, 8, 16, 24, 32, 40, 48, 56, 64)
    head = bytes([0xFF, 0xF3, rates.index(kbits) << 4 | {22_050: 0, 24_000: 1, 16_000: 2}[rate] << 2, 0xC0])
    header = frame_header(head, 0)
    assert header is not None
    frame = bytearray(head + bytes(header.size - 4))
    if xing is not None:
        at = header.xing_offset
        frame[at : at + 12] = b"Xing\0\0\0\x01" + xing.to_bytes(4)
    return bytes(frame)


def wav_header(rate: int, channels: int, bits: int, length: int, *, tag: int = 1, riff: int = 0xFFFFFFFF) -> bytes:
    """Return the beginning of a WAV file up to its samples."""
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * width % (1 << 32), width, bits)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt \x10\0\0\0" + form + b"data" + struct.pack("<I", length)


def rf64_header(rate: int, channels: int, bits: int, length: int) -> bytes:
    """Return the beginning of an RF64 file up to its samples; EBU Tech 3306."""
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * width % (1 << 32), width, bits)
    sizes = struct.pack("<QQQI", length + 72, length, length // width, 0)
    return b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + sizes + b"fmt \x10\0\0\0" + form + b"data\xff\xff\xff\xff"


def box(kind: bytes, content: bytes) -> bytes:
    """Return a box of an MP4 file."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def nested_boxes(depth: int) -> bytes:
    """Return an MP4 file of boxes in boxes in boxes."""
    kinds = (b"moov", b"trak", b"mdia", b"minf", b"udta")
    heads = [struct.pack(">I", 8 * (depth - at)) + kinds[at % len(kinds)] for at in range(depth)]
    return box(b"ftyp", b"isom\0\0\0\0isom") + b"".join(heads)


def element(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Return an element of a Matroska file, with a size of eight bytes."""
    return name + (1 << 56 | (len(content) if size is None else size)).to_bytes(8) + content


def patched(data: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    """Return data with other bytes at an offset from a mark."""
    at = data.index(mark) + offset
    return data[:at] + new + data[at + len(new) :]
