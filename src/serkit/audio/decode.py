"""Decoding: any audio file or array becomes float32 mono at a model's sampling rate.

soundfile (libsndfile) decodes audio files, :mod:`serkit.audio.media` decodes video and compressed containers, and soxr
resamples. Outside a model's graph, nothing else changes the waveform. libsndfile silently accepts a WAV file that was
cut off and gives the same error for different faults, so this module reads the chunks of a WAV file itself to tell the
faults apart.
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

MIN_SAMPLING_RATE = 1_000  # Hz; no speech is left below it, and a header with 1 Hz would turn each sample into 16,000
MAX_SAMPLING_RATE = 768_000  # Hz; the fastest converters on sale
MAX_CHANNELS = 64
_STREAMED_SIZE = 0x7FFFF000  # placeholder of SoX for an unknown size; those of arecord and ffmpeg are larger
UNKNOWN_FRAMES = 2**63 - 1  # libsndfile's length of a FLAC file that was written to a pipe
_MP3_FRAME = 1152  # samples; without a Xing header the announced length is an estimate, off by up to one frame
_MALFORMED = 3  # libsndfile's SF_ERR_MALFORMED_FILE
_BLOCK = 1 << 20
_NOT_SOUND = {  # first bytes of files that a failed download leaves under the name of an audio file
    rb"version https://git-lfs": "is a Git LFS pointer, not sound: fetch the file itself with 'git lfs pull'",
    rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html\b)": "is a web page, not sound: download the file again",
}
_ABSURD = 1e6  # 120 dB above full scale; the squares of much larger samples overflow float32 in a model


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Properties of an audio file.

    Attributes:
        sampling_rate: Sampling rate in Hz.
        channels: Number of channels.
        duration: Duration in seconds.
        format: Container, such as ``WAV``.
    """

    sampling_rate: int
    channels: int
    duration: float
    format: str


def load_audio(audio: AudioSource, *, sampling_rate: int | None = None, target_rate: int) -> FloatArray:
    """Read audio as float32 mono at a given sampling rate.

    Args:
        audio: Path, binary file object, or array (T,) or (channels, T) of floats in [-1, 1] or full-scale integers.
        sampling_rate: Sampling rate of an array in Hz. Leave it out for files, which have their own.
        target_rate: Sampling rate of the result in Hz.

    Returns:
        Samples, shape (T,).

    Raises:
        AudioError: If the audio cannot be used; see :mod:`serkit.errors`.
        MissingExtraError: If the file needs PyAV, which is not installed.

    Example:
        >>> load_audio(np.zeros((2, 48_000), np.float32), sampling_rate=48_000, target_rate=16_000).shape
        (16000,)
    """
    return load_with_rate(audio, sampling_rate=sampling_rate, target_rate=target_rate)[0]


def load_with_rate(audio: AudioSource, *, sampling_rate: int | None = None, target_rate: int) -> tuple[FloatArray, int]:
    """Return the samples (T,) of :func:`load_audio`, and the audio's own sampling rate in Hz."""
    if not isinstance(audio, np.ndarray | str | os.PathLike) and not hasattr(audio, "read"):
        raise TypeError(f"audio must be a path, a binary file object or an array, not {type(audio).__name__}.")
    if isinstance(audio, np.ndarray):
        if sampling_rate is None:
            raise SamplingRateError("an array has no sampling rate of its own; pass sampling_rate= in Hz.")
        samples, rate, name = _from_array(audio), check_rate(sampling_rate), "the array"
    else:
        if sampling_rate is not None:
            raise SamplingRateError("sampling_rate= is for arrays only; leave it out for files, which have their own.")
        (samples, rate), name = read_file(audio), source_name(audio)
    mono = _finite(mix_down(samples), name)
    return _finite(resample(mono, rate, check_rate(target_rate, "the target")), name), rate


def read_file(source: str | os.PathLike[str] | BinaryIO) -> tuple[FloatArray, int]:
    """Decode a file, or a file object from its current position to its end.

    Returns:
        Samples, shape (channels, T), and the file's sampling rate in Hz.

    Raises:
        AudioError: If the file cannot be used; see :mod:`serkit.errors`.
        MissingExtraError: If the file is a video or compressed container that needs PyAV, which is not installed.
    """
    name = source_name(source)
    with open_stream(source, name) as stream:
        if container := media.container_of(stream):
            samples, rate = media.decode(stream, container, name=name)
            return samples, _checked_form(rate, len(samples), name)
        with open_sound(stream, source, name) as sound:
            return _decoded(sound, name), int(sound.samplerate)


def probe(source: str | os.PathLike[str]) -> AudioInfo:
    """Read the properties of a file. The file is decoded only if its header does not state its length.

    Raises:
        AudioError: If the file cannot be used; see :mod:`serkit.errors`.
        MissingExtraError: If the file is a video or compressed container that needs PyAV, which is not installed.
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
    with np.errstate(over="ignore", invalid="ignore"):  # load_audio refuses the infinite samples of an overflow
        mono: FloatArray = samples.mean(axis=0, dtype=np.float32) if len(samples) > 1 else samples[0]
    return mono


def resample(samples: FloatArray, rate: int, target_rate: int) -> FloatArray:
    """Resample (T,) with soxr's HQ filter. Returns the input if the two sampling rates are equal.

    Raises:
        NoSamplesError: If the audio is so short that no sample is left.
    """
    if rate == target_rate:
        return samples
    import soxr

    resampled: FloatArray = soxr.resample(samples, rate, target_rate, quality="HQ")
    if not len(resampled):
        raise NoSamplesError(f"{len(samples)} samples at {rate} Hz leave no sample at {target_rate} Hz.")
    return resampled


def check_rate(rate: int, name: str = "the audio") -> int:
    """Return the sampling rate as an int.

    Args:
        rate: Sampling rate in Hz.
        name: Name of the audio for the message.

    Raises:
        SamplingRateError: If the rate is not an integer, or is out of range.
    """
    is_whole = isinstance(rate, Real) and math.isfinite(rate) and rate == int(rate)
    if not is_whole or not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise SamplingRateError(
            f"{name} has a sampling rate of {rate} Hz; expected {MIN_SAMPLING_RATE} to {MAX_SAMPLING_RATE} Hz."
        )
    return int(rate)


def source_name(source: object) -> str:
    """Return the name of an audio source for messages."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if isinstance(source, np.ndarray):
        return "the array"
    name = getattr(source, "name", None)  # an int where the file was opened by its descriptor
    return repr(name) if name and isinstance(name, str) else "the file object"


def open_stream(source: str | os.PathLike[str] | BinaryIO, name: str) -> BinaryIO:
    """Open a path, or read the rest of a file object into memory. The caller closes the result."""
    if isinstance(source, str | os.PathLike):
        return _opened_path(Path(source), name)
    if hasattr(source, "read"):
        return _bytes_of(source, name)
    raise TypeError(f"audio must be a path, a binary file object or an array, not {type(source).__name__}.")


def open_sound(stream: BinaryIO, source: str | os.PathLike[str] | BinaryIO, name: str) -> Any:
    """Open a stream with soundfile and return its ``SoundFile``.

    Args:
        stream: Open file.
        source: Path or file object that ``stream`` was opened from.
        name: Name of the file for messages.

    Raises:
        AudioError: If the file cannot be used; each fault has its own class.
    """
    import soundfile  # takes 30 ms to import, and arrays do not need it

    target: Any = _checked(stream, name)
    if target is None:  # libsndfile reads a path faster than a Python file object
        target = os.fsencode(source) if isinstance(source, str | os.PathLike) else stream
    try:
        sound = soundfile.SoundFile(target)
    except soundfile.LibsndfileError as error:
        if error.code == _MALFORMED:
            raise TruncatedAudioError(f"{name} is damaged or cut off: {_reason(error)}.") from error
        raise UnknownAudioFormatError(
            f"{name} is not audio that can be decoded ({_reason(error)}); expected WAV, FLAC, OGG, Opus or MP3, or "
            "with 'serkit[media]' AAC or video."
        ) from error
    _checked_form(sound.samplerate, sound.channels, name)
    return sound


def _checked_form(rate: int, channels: int, name: str) -> int:
    """Return the sampling rate of a file, after checking its rate and its number of channels."""
    check_rate(rate, name)
    if channels > MAX_CHANNELS:
        raise AudioShapeError(f"{name} has {channels} channels; expected at most {MAX_CHANNELS}.")
    return rate


def _opened_path(path: Path, name: str) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        file = path.open("rb") if stat.S_ISREG(mode) else None  # opening a pipe would block until somebody writes
    except FileNotFoundError:
        raise AudioNotFoundError(f"no file {name}.") from None
    except (OSError, ValueError) as error:  # ValueError: the path contains a zero byte
        raise AudioUnreadableError(f"cannot open {name}: {getattr(error, 'strerror', None) or error}.") from error
    if file is not None:
        return file
    if stat.S_ISDIR(mode):
        raise AudioIsDirectoryError(f"{name} is a folder; name the files in it.")
    raise AudioUnreadableError(f"{name} is a pipe or a device, not a file; open it and pass the file object.")


def _bytes_of(source: BinaryIO, name: str) -> io.BytesIO:
    """Read a file object from its current position to its end. This works for pipes and archives too."""
    try:
        data: object = source.read()
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:  # ValueError: the file object is closed
        raise AudioUnreadableError(f"cannot read {name}: {error}.") from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UnknownAudioFormatError(f"{name} yields {type(data).__name__}, not bytes; open it in binary mode.")
    if not data:
        raise EmptyAudioFileError(
            f"{name} has no bytes after its current position; call seek(0) if it was read before."
        )
    return io.BytesIO(data)


def _checked(stream: BinaryIO, name: str) -> io.BytesIO | None:
    """Check for faults that libsndfile does not notice, and rewind the stream.

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
    """Check the sampling rate of a WAV file, and that the data chunk is complete.

    A program that streams, or is killed, may leave a data size of 0, and libsndfile then finds no samples. For such a
    file a copy is returned whose data extends to the end of the file.
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
                raise TruncatedAudioError(f"{name} is cut off: it has {size - start} of {length} bytes of audio.")
            return None
    if riff_size < _STREAMED_SIZE and riff_size + 8 > size:
        raise TruncatedAudioError(f"{name} is cut off: it has {size} of {riff_size + 8} bytes.")
    return None


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and length of a WAV file's first chunks, with the stream at the start of each."""
    position = 12
    for _ in range(100):  # real files have a few chunks before the data; a file of zeros would have millions
        stream.seek(position)
        header = stream.read(8)
        if len(header) < 8:
            return
        chunk, length = struct.unpack("<4sI", header)
        yield chunk, position + 8, length
        position += 8 + length + length % 2


def _decoded(sound: Any, name: str) -> FloatArray:
    """Return all samples (channels, T) of an open file."""
    blocks = list(decode_pieces(sound, name))
    return np.ascontiguousarray(blocks[0]) if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def decode_pieces(sound: Any, name: str, *, size: int = _BLOCK) -> Iterator[FloatArray]:
    """Yield the samples of an open file in pieces (channels, T) of ``size`` samples.

    Memory is allocated for what was read, not for the length in the header, which may be wrong.

    Raises:
        TruncatedAudioError: If the file is damaged or shorter than its header says.
        NoSamplesError: If the file has no samples.
    """
    import soundfile

    sound.seekable = lambda: False  # stops soundfile from seeking after each read, which FLAC of unknown length forbids
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
        raise TruncatedAudioError(f"{name} is cut off: it has {count} of {sound.frames} samples.")
    if not count:
        raise NoSamplesError(f"{name} is an audio file without samples.")


def _finite(samples: FloatArray, name: str) -> FloatArray:
    if not (np.abs(samples) <= _ABSURD).all():  # false for NaN too
        raise NonFiniteAudioError(f"{name} has NaN, infinite or absurdly large samples; repair it before use.")
    return samples


def check_samples(samples: NDArray[Any], name: str = "the array") -> FloatArray:
    """Return an array (T,) or (channels, T) as float32 (channels, T).

    Args:
        samples: Floats in [-1, 1] or full-scale integers.
        name: Name of the array for messages.

    Raises:
        AudioShapeError: If the array has another shape or type.
        NoSamplesError: If the array is empty.
        NonFiniteAudioError: If the array has NaN, infinite or absurdly large samples.
    """
    if not isinstance(samples, np.ndarray):
        raise TypeError(f"samples must be an array, not {type(samples).__name__}.")
    return _finite(_from_array(samples), name)


def _from_array(samples: NDArray[Any]) -> FloatArray:
    """Return an array as float32 (channels, T), full-scale integers scaled to [-1, 1)."""
    if samples.ndim not in (1, 2):
        raise AudioShapeError(f"expected an array (T,) or (channels, T), got shape {samples.shape}.")
    if not samples.size:
        raise NoSamplesError(f"the array of shape {samples.shape} has no samples.")
    if samples.ndim == 2 and len(samples) > MAX_CHANNELS:
        raise AudioShapeError(f"shape {samples.shape} looks like (T, channels); pass the transpose, (channels, T).")
    if np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioShapeError(f"expected float or signed integer samples, got {samples.dtype}.")
    with np.errstate(over="ignore"):  # load_audio refuses the infinite samples of an overflow
        return np.atleast_2d(samples).astype(np.float32, copy=False)


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
