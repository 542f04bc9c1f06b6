"""Sound files of every supported format, and broken copies of them."""

import io
from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import soundfile
from numpy.typing import NDArray

_PLAIN = {
    "wav-16": ("WAV", "PCM_16"),
    "wav-24": ("WAV", "PCM_24"),
    "wav-float": ("WAV", "FLOAT"),
    "wav-ulaw": ("WAV", "ULAW"),
    "wav-adpcm": ("WAV", "IMA_ADPCM"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
_CONTAINERS = {  # FFmpeg's muxer and encoder
    "m4a": ("mp4", "aac"),
    "adts": ("adts", "aac"),
    "webm": ("webm", "libopus"),
    "mkv-flac": ("matroska", "flac"),
    "avi": ("avi", "mp3"),
    "mpegts": ("mpegts", "aac"),
    "flv": ("flv", "aac"),
    "asf": ("asf", "wmav2"),
}
_RATE = 48_000  # Opus has no 44,100


def sound_files(samples: NDArray[np.float32]) -> dict[str, bytes]:
    """Return a sound (T,) at 48,000 Hz in every format; compressed containers only where PyAV is installed."""
    found = {name: _plain(samples, *form) for name, form in _PLAIN.items()}
    if find_spec("av"):
        found |= {name: _container(samples, *form) for name, form in _CONTAINERS.items()}
    return found


def mutants(files: dict[str, bytes], count: int, *, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of broken files, each format in turn, with one to four faults each."""
    rng = np.random.default_rng(seed)
    names = sorted(files)
    for number in range(count):
        name = names[number % len(names)]
        content = bytearray(files[name])
        for _ in range(int(rng.integers(1, 5))):
            content = _FAULTS[int(rng.integers(len(_FAULTS)))](
                content, rng, files[names[int(rng.integers(len(names)))]]
            )
        yield f"{number}.{name}", bytes(content)


def _plain(samples: NDArray[np.float32], form: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, _RATE, format=form, subtype=subtype)
    return file.getvalue()


def _container(samples: NDArray[np.float32], muxer: str, codec: str) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=_RATE, layout="mono")
        stream.bit_rate = 96_000
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=_RATE)
        frame = av.AudioFrame.from_ndarray((samples[None] * 32_767).astype(np.int16), format="s16", layout="mono")
        frame.rate, frame.time_base, frame.pts = _RATE, Fraction(1, _RATE), 0
        fifo = av.AudioFifo()
        for piece in resampler.resample(frame):
            fifo.write(piece)
        size = stream.codec_context.frame_size or 1024
        while piece := fifo.read(size):
            container.mux(stream.encode(piece))
        if rest := fifo.read(partial=True):
            container.mux(stream.encode(rest))
        container.mux(stream.encode())
    return file.getvalue()


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


_FAULTS = (_flip, _flip_head, _extreme, _cut, _lose, _repeat, _splice, _zero)
