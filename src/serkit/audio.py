"""Audio in: any file or array to float32 mono at the rate that a model wants.

Decoding is soundfile's (libsndfile), resampling is soxr's. Nothing else ever touches the waveform
outside a model's graph. libsndfile quietly shortens a WAV file that was cut off, and names every fault
alike, so what can be told apart from the first bytes is told apart here.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

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

MAX_SAMPLING_RATE = 768_000  # the fastest converters sold; more is a wrong number
MAX_CHANNELS = 64
_STREAMED_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what writers that cannot seek leave in a WAV header


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

    Example:
        >>> load_audio(np.zeros((2, 48_000), np.float32), sampling_rate=48_000, target_rate=16_000).shape
        (16000,)
    """
    if isinstance(audio, np.ndarray):
        if sampling_rate is None:
            raise SamplingRateError("an array says nothing of its rate: pass sampling_rate= in Hz.")
        samples, rate, name = _from_array(audio), check_rate(sampling_rate), "the array"
    else:
        if sampling_rate is not None:
            raise SamplingRateError("sampling_rate= is for arrays only: a file says its own rate.")
        (samples, rate), name = read_file(audio), source_name(audio)
    if not np.isfinite(samples).all():
        raise NonFiniteAudioError(f"{name} holds NaN or infinite samples; repair it before use.")
    return resample(mix_down(samples), rate, check_rate(target_rate))


def read_file(source: str | os.PathLike[str] | BinaryIO) -> tuple[FloatArray, int]:
    """Decode a whole file.

    Returns:
        Samples, shape (channels, T), and the file's sampling rate in Hz.

    Raises:
        AudioError: One of its kinds, see :mod:`serkit.errors`.
    """
    import soundfile  # 30 ms to import, and not needed for arrays

    name = source_name(source)
    try:
        with _opened(source, name) as sound:
            announced, rate = sound.frames, sound.samplerate
            samples = sound.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise TruncatedAudioError(f"{name} is damaged or cut off: {_reason(error)}") from error
    if len(samples) < announced:
        raise TruncatedAudioError(f"{name} is cut off: {len(samples)} of {announced} samples are there.")
    if not len(samples):
        raise NoSamplesError(f"{name} is a sound file without a single sample.")
    return np.ascontiguousarray(samples.T), check_rate(rate, name)


def probe(source: str | os.PathLike[str]) -> AudioInfo:
    """Read what a file says of itself, without decoding it.

    Raises:
        AudioError: One of its kinds, see :mod:`serkit.errors`.
    """
    with _opened(source, source_name(source)) as sound:
        return AudioInfo(sound.samplerate, sound.channels, sound.frames / sound.samplerate, sound.format)


def mix_down(samples: FloatArray) -> FloatArray:
    """Average the channels: (channels, T) to (T,)."""
    return samples.mean(axis=0, dtype=np.float32) if len(samples) > 1 else samples[0]


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
    if rate != int(rate) or not 0 < rate <= MAX_SAMPLING_RATE:
        raise SamplingRateError(f"{name} has a sampling rate of {rate} Hz; expected 1 to {MAX_SAMPLING_RATE} Hz.")
    return int(rate)


def source_name(source: object) -> str:
    """Return how a message names this source."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if isinstance(source, np.ndarray):
        return "the array"
    return repr(getattr(source, "name", None) or "the file object")


def _opened(source: str | os.PathLike[str] | BinaryIO, name: str) -> Any:
    """Open with soundfile, turning each fault into its own error."""
    import soundfile

    if isinstance(source, str | os.PathLike):
        head, size = _head_of_path(Path(source), name)
        target: Any = os.fspath(source)
    elif hasattr(source, "read") and hasattr(source, "seek"):
        start = source.tell()
        size = source.seek(0, os.SEEK_END) - start
        source.seek(start)
        head = source.read(64)
        if not isinstance(head, bytes):
            raise UnknownAudioFormatError(f"{name} yields text; open it in binary mode.")
        source.seek(start)
        target = source
    else:
        raise TypeError(f"audio must be a path, a binary file object that can seek, or an array, not {type(source)}.")
    if size == 0:
        raise EmptyAudioFileError(f"{name} is empty: zero bytes.")
    _check_wav(head, size, name)
    try:
        return soundfile.SoundFile(target)
    except soundfile.LibsndfileError as error:
        raise UnknownAudioFormatError(
            f"{name} is not audio that can be decoded ({_reason(error)}); WAV, FLAC, OGG, Opus and MP3 can."
        ) from error


def _head_of_path(path: Path, name: str) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(64), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise AudioNotFoundError(f"no file {name}.") from None
    except IsADirectoryError:
        raise AudioIsDirectoryError(f"{name} is a folder; name the files in it.") from None
    except OSError as error:
        raise AudioUnreadableError(f"cannot open {name}: {error.strerror}.") from error


def _check_wav(head: bytes, size: int, name: str) -> None:
    """Check a plain RIFF header: the rate, and that the file is as long as it says."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return
    if size < 44:
        raise TruncatedAudioError(f"{name} is cut off: {size} bytes are less than a WAV header.")
    announced = struct.unpack_from("<I", head, 4)[0]
    if announced not in _STREAMED_SIZES and announced + 8 > size + 1:  # some writers leave out the pad byte
        raise TruncatedAudioError(f"{name} is cut off: {size} of {announced + 8} bytes are there.")
    if head[12:16] == b"fmt " and struct.unpack_from("<I", head, 24)[0] == 0:
        raise SamplingRateError(f"{name} has a sampling rate of 0 Hz in its header.")


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
    return np.atleast_2d(samples).astype(np.float32, copy=False)


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
