"""Audio in: any file or array to float32 mono at the rate that a model wants.

Decoding is soundfile's (libsndfile), that of video and compressed containers :mod:`serkit.audio.media`'s,
resampling is soxr's. Nothing else ever touches the waveform outside a model's graph. libsndfile quietly
shortens a WAV file that was cut off, and names every fault alike, so what can be told apart from a WAV
file's chunks is told apart here.
"""

import io
import math
import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from serkit.audio import media
from serkit.errors import (
    AudioIsDirectoryError,
    AudioNotFoundError,
    AudioShapeError,
    AudioUnreadableError,
    EmptyAudioFileError,
    NonFiniteAudioError,
    NoSamplesError,
    SamplingRateError,
    TruncatedAudioError,
    UnknownAudioFormatError,
)
from serkit.types import FloatArray

AudioSource = str | os.PathLike[str] | BinaryIO | NDArray[Any]

MIN_SAMPLING_RATE = 1_000  # no speech is left below it; 1 Hz in a header would turn each sample into 16,000
MAX_SAMPLING_RATE = 768_000  # the fastest converters sold; more is a wrong number
MAX_CHANNELS = 64
_STREAMED_SIZE = 0x7FFFF000  # SoX; arecord and ffmpeg leave larger ones in a WAV header that they cannot go back to
UNKNOWN_FRAMES = 2**63 - 1  # libsndfile's word for a FLAC file that was written to a pipe
_MP3_FRAME = 1152  # samples: without a Xing header the announced length is an estimate, right to a frame
_MALFORMED = 3  # libsndfile's SF_ERR_MALFORMED_FILE
_BLOCK = 1 << 20
_NOT_SOUND = {  # what a download leaves under a sound's name, by its first bytes
    rb"version https://git-lfs": "is a Git LFS pointer, not sound: fetch the file itself with 'git lfs pull'",
    rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html\b)": "is a web page, not sound: the download went wrong",
}
_ABSURD = 1e6  # 120 dB above full scale; squares of much more overflow float32 in a model


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says of itself: its rate in Hz, channels, duration in seconds, and container."""

    sampling_rate: int
    channels: int
    duration: float
    format: str


def load_audio(audio: AudioSource, *, sampling_rate: int | None = None, target_rate: int) -> FloatArray:
    """Read audio and bring it to float32 mono at a model's rate.

    Args:
        audio: A path, a binary file object, or an array (T,) or (channels, T): floats in [-1, 1] or
            integers of full scale.
        sampling_rate: Rate of an array in Hz; must be left out for files, which say it themselves.
        target_rate: Rate of the result in Hz.

    Returns:
        Samples, shape (T,).

    Raises:
        AudioError: One of its kinds, see :mod:`serkit.errors`.
        MissingExtraError: As for :func:`read_file`.

    Example:
        >>> load_audio(np.zeros((2, 48_000), np.float32), sampling_rate=48_000, target_rate=16_000).shape
        (16000,)
    """
    return load_with_rate(audio, sampling_rate=sampling_rate, target_rate=target_rate)[0]


def load_with_rate(audio: AudioSource, *, sampling_rate: int | None = None, target_rate: int) -> tuple[FloatArray, int]:
    """Read audio as :func:`load_audio` does, and say which rate it had, in Hz."""
    if not isinstance(audio, np.ndarray | str | os.PathLike) and not hasattr(audio, "read"):
        raise TypeError(f"audio must be a path, a binary file object or an array, not {type(audio).__name__}.")
    if isinstance(audio, np.ndarray):
        if sampling_rate is None:
            raise SamplingRateError("an array says nothing of its rate: pass sampling_rate= in Hz.")
        samples, rate, name = _from_array(audio), check_rate(sampling_rate), "the array"
    else:
        if sampling_rate is not None:
            raise SamplingRateError("sampling_rate= is for arrays only: a file says its own rate.")
        (samples, rate), name = read_file(audio), source_name(audio)
    mono = _finite(mix_down(samples), name)
    return _finite(resample(mono, rate, check_rate(target_rate, "the target")), name), rate


def read_file(source: str | os.PathLike[str] | BinaryIO) -> tuple[FloatArray, int]:
    """Decode a whole file, or a file object from where it stands to its end.

    Returns:
        Samples, shape (channels, T), and the file's sampling rate in Hz.

    Raises:
        AudioError: One of its kinds, see :mod:`serkit.errors`.
        MissingExtraError: If the file is a video or a container that needs PyAV, which is not installed.
    """
    name = source_name(source)
    with open_stream(source, name) as stream:
        if container := media.container_of(stream):
            samples, rate = media.decode(stream, container, name=name)
            return samples, _checked_form(rate, len(samples), name)
        with open_sound(stream, source, name) as sound:
            return _decoded(sound, name), int(sound.samplerate)


def probe(source: str | os.PathLike[str]) -> AudioInfo:
    """Read what a file says of itself; only a stream that does not say its length is decoded for it.

    Raises:
        AudioError: One of its kinds, see :mod:`serkit.errors`.
        MissingExtraError: As for :func:`read_file`.
    """
    name = source_name(source)
    with open_stream(source, name) as stream:
        if container := media.container_of(stream):
            info = AudioInfo(*media.probe(stream, container, name=name))
            _checked_form(info.sampling_rate, info.channels, name)
            return info
        with open_sound(stream, source, name) as sound:
            frames = sound.frames if sound.frames < UNKNOWN_FRAMES else _decoded(sound, name).shape[1]
            return AudioInfo(sound.samplerate, sound.channels, frames / sound.samplerate, sound.format)


def mix_down(samples: FloatArray) -> FloatArray:
    """Average the channels: (channels, T) to (T,)."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused by load_audio as infinite
        mono: FloatArray = samples.mean(axis=0, dtype=np.float32) if len(samples) > 1 else samples[0]
    return mono


def resample(samples: FloatArray, rate: int, target_rate: int) -> FloatArray:
    """Resample (T,) with soxr's HQ filter; returns the input where the rates agree.

    Raises:
        NoSamplesError: If the audio is so short that nothing is left.
    """
    if rate == target_rate:
        return samples
    import soxr

    resampled: FloatArray = soxr.resample(samples, rate, target_rate, quality="HQ")
    if not len(resampled):
        raise NoSamplesError(f"{len(samples)} samples at {rate} Hz leave nothing at {target_rate} Hz.")
    return resampled


def check_rate(rate: int, name: str = "the audio") -> int:
    """Return the rate as an int, or raise SamplingRateError."""
    is_whole = isinstance(rate, Real) and math.isfinite(rate) and rate == int(rate)
    if not is_whole or not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise SamplingRateError(
            f"{name} has a sampling rate of {rate} Hz; expected {MIN_SAMPLING_RATE} to {MAX_SAMPLING_RATE} Hz."
        )
    return int(rate)


def source_name(source: object) -> str:
    """Return how a message names this source."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if isinstance(source, np.ndarray):
        return "the array"
    name = getattr(source, "name", None)  # an int where the file was opened by its descriptor
    return repr(name) if name and isinstance(name, str) else "the file object"


def open_stream(source: str | os.PathLike[str] | BinaryIO, name: str) -> BinaryIO:
    """Open a path, or take the rest of a file object into memory; the caller closes what it gets."""
    if isinstance(source, str | os.PathLike):
        return _opened_path(Path(source), name)
    if hasattr(source, "read"):
        return _bytes_of(source, name)
    raise TypeError(f"audio must be a path, a binary file object or an array, not {type(source).__name__}.")


def open_sound(stream: BinaryIO, source: str | os.PathLike[str] | BinaryIO, name: str) -> Any:
    """Open with soundfile, turning each fault into its own error."""
    import soundfile  # 30 ms to import, and not needed for arrays

    target: Any = _checked(stream, name)
    if target is None:  # libsndfile reads a path faster than through Python
        target = os.fsencode(source) if isinstance(source, str | os.PathLike) else stream
    try:
        sound = soundfile.SoundFile(target)
    except soundfile.LibsndfileError as error:
        if error.code == _MALFORMED:
            raise TruncatedAudioError(f"{name} is damaged or cut off: {_reason(error)}.") from error
        raise UnknownAudioFormatError(
            f"{name} is not audio that can be decoded ({_reason(error)}); WAV, FLAC, OGG, Opus and MP3 can, "
            "and with 'serkit[media]' AAC and video."
        ) from error
    _checked_form(sound.samplerate, sound.channels, name)
    return sound


def _checked_form(rate: int, channels: int, name: str) -> int:
    """Return the rate of a file whose rate and channels are those of a recording."""
    check_rate(rate, name)
    if channels > MAX_CHANNELS:
        raise AudioShapeError(f"{name} has {channels} channels; expected {MAX_CHANNELS} at most.")
    return rate


def _opened_path(path: Path, name: str) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        file = path.open("rb") if stat.S_ISREG(mode) else None  # opening a pipe would wait for its writer
    except FileNotFoundError:
        raise AudioNotFoundError(f"no file {name}.") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise AudioUnreadableError(f"cannot open {name}: {getattr(error, 'strerror', None) or error}.") from error
    if file is not None:
        return file
    if stat.S_ISDIR(mode):
        raise AudioIsDirectoryError(f"{name} is a folder; name the files in it.")
    raise AudioUnreadableError(f"{name} is a pipe or a device, not a file; open it and pass the file object.")


def _bytes_of(source: BinaryIO, name: str) -> io.BytesIO:
    """Read a file object from where it stands to its end, which pipes and archives can do too."""
    try:
        data: object = source.read()
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise AudioUnreadableError(f"cannot read {name}: {error}.") from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UnknownAudioFormatError(f"{name} yields {type(data).__name__}, not bytes; open it in binary mode.")
    if not data:
        raise EmptyAudioFileError(f"{name} holds nothing from where it stands; rewind it if it was used before.")
    return io.BytesIO(data)


def _checked(stream: BinaryIO, name: str) -> io.BytesIO | None:
    """Check what libsndfile lets pass in a WAV file, and go back to the start.

    Returns:
        None, or a repaired copy to read in place of the stream.
    """
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        raise EmptyAudioFileError(f"{name} is empty: zero bytes.")
    stream.seek(0)
    head = stream.read(64)
    for beginning, verdict in _NOT_SOUND.items():
        if re.match(beginning, head, re.IGNORECASE):
            raise UnknownAudioFormatError(f"{name} {verdict}.")
    repaired = _check_wav(stream, size, name) if head[:4] == b"RIFF" and head[8:12] == b"WAVE" else None
    stream.seek(0)
    return repaired


def _check_wav(stream: BinaryIO, size: int, name: str) -> io.BytesIO | None:
    """Check the rate, and that all the sound is there that the data chunk announces.

    A writer that streams or is killed may leave a data size of 0 (libsndfile then finds no sample): the
    copy that is returned for such a file says "to the end" in its place.
    """
    stream.seek(4)
    riff_size = struct.unpack("<I", stream.read(4))[0]
    for chunk, start, length in _chunks(stream):
        if chunk == b"fmt " and len(fields := stream.read(8)) == 8:
            check_rate(struct.unpack("<4xI", fields)[0], name)
        elif chunk == b"data":
            if length == 0 and size > start and (riff_size + 8 <= start or riff_size >= _STREAMED_SIZE):
                stream.seek(0)
                data = bytearray(stream.read())
                data[4:8] = data[start - 4 : start] = b"\xff\xff\xff\xff"
                return io.BytesIO(data)
            if length < _STREAMED_SIZE and start + length > size:
                raise TruncatedAudioError(f"{name} is cut off: {size - start} of {length} bytes of sound are there.")
            return None
    if riff_size < _STREAMED_SIZE and riff_size + 8 > size:
        raise TruncatedAudioError(f"{name} is cut off: {size} of {riff_size + 8} bytes are there.")
    return None


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and length of a WAV file's first chunks, with the stream at each one's start."""
    position = 12
    for _ in range(100):  # real files have a handful before the data; a file of zeros would have millions
        stream.seek(position)
        header = stream.read(8)
        if len(header) < 8:
            return
        chunk, length = struct.unpack("<4sI", header)
        yield chunk, position + 8, length
        position += 8 + length + length % 2


def _decoded(sound: Any, name: str) -> FloatArray:
    """Read an open file to its end: (channels, T)."""
    blocks = list(decode_pieces(sound, name))
    return np.ascontiguousarray(blocks[0]) if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def decode_pieces(sound: Any, name: str, *, size: int = _BLOCK) -> Iterator[FloatArray]:
    """Read an open file to its end, in pieces (channels, T) of ``size`` samples.

    A header may announce more than memory holds, so nothing is allocated by its word.

    Raises:
        TruncatedAudioError: If the file ends before its header says, or is damaged.
        NoSamplesError: If there is not a single sample.
    """
    import soundfile

    sound.seekable = lambda: False  # soundfile seeks after each read, which a FLAC of unknown length cannot do
    count = 0
    while count < sound.frames:
        try:
            block = sound.read(min(size, sound.frames - count), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise TruncatedAudioError(f"{name} is damaged or cut off: {_reason(error)}.") from error
        if not len(block):
            break
        count += len(block)
        yield block.T
    tolerated = _MP3_FRAME if sound.format == "MP3" else 0
    if count + tolerated < sound.frames < UNKNOWN_FRAMES:
        raise TruncatedAudioError(f"{name} is cut off: {count} of {sound.frames} samples are there.")
    if not count:
        raise NoSamplesError(f"{name} is a sound file without a single sample.")


def _finite(samples: FloatArray, name: str) -> FloatArray:
    if not (np.abs(samples) <= _ABSURD).all():  # false for NaN too
        raise NonFiniteAudioError(f"{name} holds NaN, infinite or absurdly large samples; repair it before use.")
    return samples


def check_samples(samples: NDArray[Any], name: str = "the array") -> FloatArray:
    """Bring an array (T,) or (channels, T) to float32 (channels, T).

    Raises:
        AudioShapeError, NoSamplesError: If it is no sound.
        NonFiniteAudioError: If it holds NaN, infinite or absurdly large samples.
    """
    if not isinstance(samples, np.ndarray):
        raise TypeError(f"samples must be an array, not {type(samples).__name__}.")
    return _finite(_from_array(samples), name)


def _from_array(samples: NDArray[Any]) -> FloatArray:
    """Bring an array to float32 (channels, T)."""
    if samples.ndim not in (1, 2):
        raise AudioShapeError(f"expected an array (T,) or (channels, T), got shape {samples.shape}.")
    if not samples.size:
        raise NoSamplesError(f"the array of shape {samples.shape} holds no samples.")
    if samples.ndim == 2 and len(samples) > MAX_CHANNELS:
        raise AudioShapeError(f"shape {samples.shape} looks like (T, channels): pass its transpose.")
    if np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioShapeError(f"expected float or signed integer samples, got {samples.dtype}.")
    with np.errstate(over="ignore"):  # what overflows is refused by load_audio as infinite
        return np.atleast_2d(samples).astype(np.float32, copy=False)


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
