"""Sound files of every supported format, and broken copies of them."""

import io
from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from serkit.audio.mpeg_frames import frame_header

_PLAIN = {
    "wav-16": ("WAV", "PCM_16"),
    "wav-24": ("WAV", "PCM_24"),
    "wav-8": ("WAV", "PCM_U8"),
    "wav-float": ("WAV", "FLOAT"),
    "wav-ulaw": ("WAV", "ULAW"),
    "wav-adpcm": ("WAV", "IMA_ADPCM"),
    "wavex": ("WAVEX", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


class Muxing(NamedTuple):
    """FFmpeg's muxer and encoders of a container."""

    muxer: str
    codec: str
    rate: int = 48_000
    video: str = ""
    options: tuple[tuple[str, str], ...] = ()


_CONTAINERS = {
    "m4a": Muxing("mp4", "aac"),
    "mp4-video": Muxing("mp4", "aac", video="mpeg4"),
    "mov": Muxing("mov", "pcm_s16be", video="mjpeg"),
    "3gp": Muxing("3gp", "libopencore_amrnb", 8_000),
    "amr": Muxing("amr", "libopencore_amrnb", 8_000),
    "adts": Muxing("adts", "aac"),
    "webm": Muxing("webm", "libopus"),
    "webm-live": Muxing("webm", "libopus", options=(("live", "1"),)),
    "mkv-flac": Muxing("matroska", "flac"),
    "mkv-pcm": Muxing("matroska", "pcm_s16le"),
    "avi": Muxing("avi", "mp3"),
    "avi-pcm": Muxing("avi", "pcm_s16le", video="mjpeg"),
    "mpegts": Muxing("mpegts", "aac"),
    "mpegps": Muxing("mpeg", "mp2"),
    "flv": Muxing("flv", "aac"),
    "asf": Muxing("asf", "wmav2"),
    "caf-alac": Muxing("caf", "alac"),
    "ogg-flac": Muxing("ogg", "flac"),
    "ac3": Muxing("ac3", "ac3"),
    "wavpack": Muxing("wv", "wavpack"),
    "tta": Muxing("tta", "tta"),
    "wav-g722": Muxing("wav", "g722", 16_000),
    "wav-g726": Muxing("wav", "g726", 8_000),
}
_RATE = 48_000  # Opus has no 44,100


def sound_files(samples: NDArray[np.float32]) -> dict[str, bytes]:
    """Return a sound (T,) at 48,000 Hz in every format; compressed containers only where PyAV has their codecs."""
    found = {name: _plain(samples, *form) for name, form in _PLAIN.items()}
    first = frame_header(found["mp3"], 0)
    assert first is not None
    found["mp3-without-xing"] = found["mp3"][first.size :]
    if find_spec("av"):
        found |= {name: _container(samples, form) for name, form in _CONTAINERS.items() if _has_codec(form.codec)}
    return found


def mutants(files: dict[str, bytes], count: int, *, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of broken files, each format in turn, with one to four faults each."""
    for number in range(count):
        yield mutant(files, number, seed=seed)


def mutant(files: dict[str, bytes], number: int, *, seed: int = 0) -> tuple[str, bytes]:
    """Return the name and the content of one of the broken files, which does not depend on the others."""
    rng = np.random.default_rng((seed, number))
    names = sorted(files)
    name = names[number % len(names)]
    content = bytearray(files[name])
    for _ in range(int(rng.integers(1, 5))):
        other = files[names[int(rng.integers(len(names)))]]
        content = _FAULTS[int(rng.integers(len(_FAULTS)))](content, rng, other)
    return f"{number}.{name}", bytes(content)


def _plain(samples: NDArray[np.float32], form: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, _RATE, format=form, subtype=subtype)
    return file.getvalue()


def _has_codec(codec: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(codec, "w")
    except UnknownCodecError:
        return False
    return True


def _container(samples: NDArray[np.float32], form: Muxing) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=form.muxer, options=dict(form.options)) as container:
        if form.video:
            video = container.add_stream(form.video, rate=25)
            video.width, video.height = 64, 48
            video.pix_fmt = "yuvj420p" if form.video == "mjpeg" else "yuv420p"
        stream = container.add_stream(form.codec, rate=form.rate, layout="mono")
        stream.bit_rate = {8_000: 12_200 if "amr" in form.codec else 32_000, 16_000: 64_000}.get(form.rate, 96_000)
        for number in range(round(len(samples) / _RATE * 25) if form.video else 0):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 256, np.uint8), format="rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        _encode(samples, container, stream)
        for one in container.streams:
            container.mux(one.encode())
    return file.getvalue()


def _encode(samples: NDArray[np.float32], container: Any, stream: Any) -> None:
    import av

    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=stream.rate)
    frame = av.AudioFrame.from_ndarray((samples[None] * 32_767).astype(np.int16), format="s16", layout="mono")
    frame.rate, frame.time_base, frame.pts = _RATE, Fraction(1, _RATE), 0
    fifo = av.AudioFifo()
    for piece in (*resampler.resample(frame), *resampler.resample(None)):
        fifo.write(piece)
    size = stream.codec_context.frame_size or 1024
    while piece := fifo.read(size):
        container.mux(stream.encode(piece))
    if rest := fifo.read(partial=True):
        container.mux(stream.encode(rest))


def _flip(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Change some bytes at any place."""
    for place in rng.integers(0, max(1, len(content)), int(rng.integers(1, 30))):
        content[place : place + 1] = rng.bytes(1)
    return content


def _flip_head(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Change some bytes of the header, where formats store sizes."""
    for place in rng.integers(0, min(len(content), 200) or 1, int(rng.integers(1, 8))):
        content[place : place + 1] = rng.bytes(1)
    return content


def _extreme(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Write an unexpected number where a number may be."""
    values = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x01\0\0\0", b"\0\0\0\x01")
    place = int(rng.integers(0, min(len(content), 400) or 1))
    content[place : place + 4] = values[int(rng.integers(len(values)))]
    return content


def _cut(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Truncate the file."""
    return content[: int(rng.integers(0, len(content) + 1))]


def _lose(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Delete some bytes."""
    place = int(rng.integers(0, len(content) + 1))
    del content[place : place + int(rng.integers(1, 2000))]
    return content


def _repeat(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Repeat some bytes several times."""
    place = int(rng.integers(0, len(content) + 1))
    piece = content[place : place + int(rng.integers(1, 500))]
    content[place:place] = piece * int(rng.integers(1, 20))
    return content


def _splice(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Continue with the bytes of another file."""
    place = int(rng.integers(0, len(content) + 1))
    return content[:place] + other[int(rng.integers(0, len(other))) :]


def _zero(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Overwrite a stretch with zeros, as on a damaged disk."""
    place, size = int(rng.integers(0, len(content) + 1)), int(rng.integers(1, 4096))
    size = min(size, len(content) - place)
    content[place : place + size] = bytes(size)
    return content


def _flip_bit(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Change a single bit."""
    if content:
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return content


def _overwrite(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Overwrite a stretch with noise."""
    place, size = int(rng.integers(0, len(content) + 1)), int(rng.integers(1, 4096))
    size = min(size, len(content) - place)
    content[place : place + size] = rng.bytes(size)
    return content


def _cut_beginning(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Lose the beginning of the file."""
    return content[int(rng.integers(0, min(len(content), 5000) + 1)) :]


def _extreme_size(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Set a field of one to eight bytes to its smallest or largest number, anywhere in the file."""
    place, width = int(rng.integers(0, len(content) + 1)), int(rng.choice([1, 2, 3, 4, 8]))
    width = min(width, len(content) - place)
    content[place : place + width] = (b"\0" if rng.integers(2) else b"\xff") * width
    return content


def _change_head(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Put the beginning of another file over the file's own."""
    size = int(rng.integers(4, 600))
    content[:size] = other[:size]
    return content


def _join(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Append another file."""
    return content + other if len(content) < _LONGEST else content


def _tag(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Put an ID3 tag in front, whose size may be wrong."""
    size = int(rng.integers(0, 300))
    stated = size if rng.integers(2) else int(rng.integers(0, 1 << 14))
    return bytearray(b"ID3\4\0\0\0\0" + bytes([stated >> 7, stated & 127]) + rng.bytes(size)) + content


_FAULTS = (
    _flip, _flip_head, _flip_bit, _overwrite, _extreme, _extreme_size, _cut, _cut_beginning, _lose, _repeat, _splice,
    _change_head, _join, _tag, _zero,
)  # fmt: skip
_LONGEST = 1 << 20  # bytes of a file that another is still appended to
