"""Bombs: small or sparse files that ask for endless time or memory, each under 1 GB on the disk."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from _crafted import (
    box,
    element,
    flac_header,
    mp3_frame,
    nested_boxes,
    ogg_page,
    patched,
    rf64_header,
    silent_flac,
    silent_opus,
    wav_header,
)

TEN_HOURS = 36_000.0
_LIE = 20.0  # seconds for a timeline of a file that has little sound, whatever it claims
_SEGMENT, _CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
_MAX = b"\xff\xff\xff\xff"
_BIG = b"\x7f\xff\xff\xff"
Files = Mapping[str, bytes]


def write_bombs(folder: Path, files: Files, names: Iterable[str] | None = None) -> list[Path]:
    """Write bombs into a folder, each as ``NAME~SECONDS.wav`` with the time that its timeline may take.

    Args:
        folder: Folder for the bombs.
        files: Sound files of all formats, of which some bombs are made.
        names: Names of bombs. None writes all.
    """
    written = []
    for name in BOMBS if names is None else names:
        limit, make = BOMBS[name]
        path = folder / f"{name}~{limit:.0f}.wav"
        made = make(files)
        head, size = made if isinstance(made, tuple) else (made, 0)
        with path.open("wb") as file:
            file.write(head)
            if size:
                file.truncate(size)  # zeros that take no room on the disk
        written.append(path)
    return written


def _working(seconds: float, samples: float) -> float:
    """Return the time for a timeline of real sound: 100 times as fast as real time, 10 million samples a second."""
    return _LIE + seconds / 100 + samples / 1e7


def _mkv(files: Files, hours: int, count: int, *, back: bool = False) -> bytes:
    """Return a live WebM whose timestamps leap again and again."""
    data = files["webm-live"]
    start = data.index(_CLUSTER)
    packet = element(b"\xa3", b"\x81\0\0\x80\xfb\6")
    clusters = []
    for number in range(count):
        time = (0 if back and number % 2 else hours * 3_600_000 * (1 if back else number)) + 120 * number
        clusters.append(element(_CLUSTER, element(b"\xe7", time.to_bytes(8)) + packet))
    return data[:start] + b"".join(clusters)


def _deep_mkv(files: Files) -> bytes:
    depth = 200_000
    return files["mkv-pcm"][:40] + _SEGMENT + b"\xff" + b"\x1f\x43\xb6\x75\xff\xa0\xff" * depth


def _huge_block(data: bytes) -> bytes:
    """Return a Matroska file with a block of a terabyte, of which a few bytes are there."""
    start = data.index(_CLUSTER)
    head = patched(data[:start], _SEGMENT, 4, b"\1" + b"\xff" * 7)
    return head + element(_CLUSTER, element(b"\xa3", b"\x81\0\0\x80", 1 << 40), 1 << 41)


def _huge_avi(files: Files) -> bytes:
    return patched(patched(files["avi"], b"avih", 24, _MAX + bytes(4) + _MAX), b"strh", 40, _MAX)


def _zip(files: Files) -> bytes:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.wav", "w", force_zip64=True) as file,
    ):
        for _ in range(1 << 9):
            file.write(bytes(1 << 20))
    return made.getvalue()


def _vorbis(files: Files) -> bytes:
    """Return a Vorbis file whose last page claims to end after centuries."""
    data = files["vorbis"]
    at = data.rindex(b"OggS")
    body = data[at + 27 + data[at + 26] :]
    serial, number = struct.unpack("<II", data[at + 14 : at + 22])
    return data[:at] + ogg_page([body], granule=1 << 60, number=number, flags=4, serial=serial)


_OPEN_FLAC = flac_header(16_000, 1, 0).replace(b"\x80\0\0\x22", b"\0\0\0\x22")  # more metadata follow
_MPEG_ID = b"ID3\4\0\0\0\0\0\0"
_LINK = silent_opus(0.12, is_last=True)
_SECOND = wav_header(16_000, 1, 16, 32_000, riff=32_036) + b"\1\2" * 16_000
_FRAME, _OTHER = mp3_frame(), mp3_frame(rate=24_000)
BOMBS: dict[str, tuple[float, Callable[[Files], bytes | tuple[bytes, int]]]] = {
    "flac-10h": (_working(TEN_HOURS, 6e8), lambda _: silent_flac(16_000, 1, TEN_HOURS)),
    "flac-10h-unknown": (
        _working(TEN_HOURS, 6e8), lambda _: silent_flac(16_000, 1, TEN_HOURS, is_length_known=False),
    ),
    "flac-655350-8": (_working(890, 4.7e9), lambda _: silent_flac(655_350, 8, 890)),
    "flac-claims": (_LIE, lambda _: flac_header(655_350, 8, (1 << 36) - 1) + bytes(1000)),
    "flac-empty-blocks": (_LIE, lambda _: _OPEN_FLAC + b"\1\0\0\0" * (1 << 24)),
    "flac-huge-picture": (_LIE, lambda _: _OPEN_FLAC + b"\x86\xff\xff\xff" + _MAX * 9),
    "opus-10h": (_working(TEN_HOURS, 1.7e9), lambda _: silent_opus(TEN_HOURS)),
    "opus-100000-links": (_working(12_000, 6e8), lambda _: _LINK * 100_000),
    "opus-100000-beginnings": (_LIE, lambda _: _LINK[: _LINK.index(b"OggS", 4)] * 100_000),
    "ogg-empty-pages": (_LIE, lambda _: _LINK + ogg_page([], granule=-1, number=3) * 3_000_000),
    "ogg-words": (_LIE, lambda _: _LINK + b"OggS" * 10_000_000),
    "vorbis-centuries": (_LIE, _vorbis),
    "vorbis-3000-links": (_working(6_300, 3e8), lambda files: files["vorbis"] * 3_000),
    "mp3-10h": (_working(TEN_HOURS, 6e8), lambda _: _FRAME * 1_000_000),
    "mp3-100000-xing": (_working(7_200, 1.2e8), lambda _: (mp3_frame(kbits=32, xing=1) + _FRAME) * 100_000),
    "mp3-claims": (_LIE, lambda _: mp3_frame(kbits=32, xing=0xFFFFFFFF) + _FRAME * 3),
    "mp3-0xff": (_LIE, lambda _: b"\xff" * 20_000_000),
    "mp3-two-rates": (_LIE, lambda _: (_FRAME * 3 + _OTHER * 3) * 100_000),
    "mp3-with-holes": (_working(11_000, 2e8), lambda _: (_FRAME * 3 + b"\1" * 40) * 100_000),
    "mp3-with-tags": (_working(11_000, 2e8), lambda _: (_FRAME * 3 + _MPEG_ID) * 100_000),
    "id3-10000000-tags": (_LIE, lambda _: _MPEG_ID * 10_000_000),
    "id3-then-sound": (_LIE, lambda files: _MPEG_ID * 1_000_000 + files["m4a"]),
    "wav-claims-4gb": (_LIE, lambda _: wav_header(16_000, 1, 16, 0xFFFFFFFF)),
    "wav-claims-float-4gb": (_LIE, lambda _: wav_header(768_000, 64, 32, 0x7FFF0000, tag=3)),
    "wav-64-channels": (_working(4, 2.2e8), lambda _: (wav_header(768_000, 64, 32, 900_000_000, tag=3), 900_000_044)),
    "wav-empty-data-4gb": (_working(1_302, 2e9), lambda _: (wav_header(768_000, 2, 16, 0), 4_000_000_000)),
    "wav-chunks": (_LIE, lambda _: wav_header(16_000, 1, 16, 0) + b"LIST\0\0\0\0" * 10_000_000),
    "wav-adpcm-block": (_LIE, lambda files: patched(files["wav-adpcm"], b"fmt ", 20, b"\xff\xff")),
    "rf64-5gb": (_working(65, 2.5e9), lambda _: (rf64_header(768_000, 50, 16, 5_000_000_000), 5_000_000_072)),
    "wav-then-zeros": (_LIE, lambda _: (_SECOND, 900_000_000)),
    "flac-then-zeros": (_LIE, lambda _: (silent_flac(16_000, 1, 8), 900_000_000)),
    "zeros-8gb": (_LIE, lambda _: (b"", 8_000_000_000)),
    "aiff-claims": (_LIE, lambda files: patched(files["aiff"], b"COMM", 10, _BIG)),
    "au-claims": (_LIE, lambda files: files["au"][:8] + _MAX + files["au"][12:]),
    "caf-claims": (_LIE, lambda files: patched(files["caf"], b"data", 4, b"\x7f" + b"\xff" * 7)),
    "caf-packets": (_LIE, lambda files: patched(files["caf-alac"], b"pakt", 12, b"\x7f" + b"\xff" * 7)),
    "w64-claims": (_LIE, lambda files: patched(files["w64"], b"data\xf3\xac\xd3\x11", 16, b"\xff" * 7 + b"\x7f")),
    "mp4-sample-count": (_LIE, lambda files: patched(files["m4a"], b"stsz", 8, b"\0\0\0\1" + _MAX)),
    "mp4-duration": (_LIE, lambda files: patched(files["m4a"], b"stts", 8, b"\0\0\0\1" + _BIG * 2)),
    "mp4-chunks": (_LIE, lambda files: patched(files["m4a"], b"stsc", 8, _BIG)),
    "mp4-nested": (_LIE, lambda _: nested_boxes(1_000_000)),
    "mp4-free-boxes": (_LIE, lambda _: box(b"ftyp", b"isom\0\0\0\0isom") + box(b"free", b"") * 10_000_000),
    "mov-sample-count": (_LIE, lambda files: patched(files["mov"], b"stsz", 8, b"\0\0\0\2" + _MAX)),
    "mkv-leaps": (_LIE, lambda files: _mkv(files, 5, 30_000)),
    "mkv-leaps-back": (_LIE, lambda files: _mkv(files, 900, 30_000, back=True)),
    "mkv-segment-size": (_LIE, lambda files: patched(files["mkv-pcm"], _SEGMENT, 4, b"\1\0" + b"\xff" * 5 + b"\xfe")),
    "mkv-block-size": (_LIE, lambda files: _huge_block(files["mkv-pcm"])),
    "mkv-nested": (_LIE, _deep_mkv),
    "avi-counts": (_LIE, _huge_avi),
    "avi-rate": (_LIE, lambda files: patched(files["avi-pcm"], b"auds", 24, b"\1\0\0\0\xff\xff\xff\x7f")),
    "tta-samples": (_LIE, lambda files: patched(files["tta"], b"TTA1", 14, _MAX)),
    "wavpack-samples": (_LIE, lambda files: patched(files["wavpack"], b"wvpk", 12, _MAX)),
    "amr-10h": (_working(TEN_HOURS, 3e8), lambda _: b"#!AMR\n" + b"\x7c" * 1_800_000),
    "adts-empty-frames": (_LIE, lambda _: b"\xff\xf1\x60\x40\0\xff\xfc" * 3_000_000),
    "mpegts-without-program": (_LIE, lambda _: (b"G\x1f\xff\x10" + bytes(184)) * 250_000),
    "zip": (_LIE, _zip),
    "gzip": (_LIE, lambda _: gzip.compress(bytes(1 << 28))),
}  # fmt: skip
