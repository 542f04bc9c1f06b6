"""Decoding: any audio file or array becomes float32 mono at a model's sampling rate.

soundfile (libsndfile) decodes audio files, :mod:`serkit.audio.media` decodes video and compressed containers, and soxr
resamples. Outside a model's graph, nothing else changes the waveform. A file is heard whole or refused: libsndfile
silently accepts a WAV file that was cut off, and stops after the first of several recordings in one file, so this
package looks into WAV, MP3 and Ogg files itself.
"""

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from serkit.audio import media
from serkit.audio.bandwidth import BandwidthMeter
from serkit.audio.containers import check_beginning, container_of, lenient_container_of
from serkit.audio.damage import Damaged, DamageReport
from serkit.audio.joined_parts import Part, check_follower, parts_of
from serkit.audio.mixing import Mixer, remarks_on
from serkit.audio.resampling import check_rate, resample
from serkit.audio.sectioned_file import byte_count, read_at
from serkit.audio.sources import AudioSource, FileSource, open_stream, plain_source, source_name, without_id3
from serkit.errors import (
    AudioShapeError,
    AudioTooLongError,
    EmptyAudioFileError,
    MissingExtraError,
    NonFiniteAudioError,
    NoSamplesError,
    SamplingRateError,
    TruncatedAudioError,
    UnknownAudioFormatError,
)
from serkit.types import FloatArray, Gap

MAX_CHANNELS = 64
UNKNOWN_FRAMES = 2**63 - 1  # libsndfile's length of a FLAC file that was written to a pipe
_MALFORMED = 3  # libsndfile's SF_ERR_MALFORMED_FILE
_BLOCK = 1 << 20  # samples of all channels in a block
_NOT_SOUND = {  # first bytes of files that a failed download leaves under the name of an audio file
    rb"version https://git-lfs": "is a Git LFS pointer, not sound: fetch the file itself with 'git lfs pull'",
    rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html\b)": "is a web page, not sound: download the file again",
}
_ABSURD = 1e6  # 120 dB above full scale; the squares of much larger samples overflow float32 in a model
_QUIETEST_INT32 = 1 << 15  # a peak below it, 96 dB below full scale, is that of 16-bit samples in a wider type


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


@dataclass(frozen=True, slots=True)
class LoadedAudio:
    """Audio that is ready for a model, and what there is to say about it.

    Attributes:
        samples: Mono samples at the target rate, shape (T,).
        sampling_rate: The audio's own sampling rate in Hz.
        name: Name of the audio for messages.
        remarks: Names of remarks; see :data:`serkit.types.REMARKS`.
        gaps: Stretches without audio.
    """

    samples: FloatArray
    sampling_rate: int
    name: str
    remarks: tuple[str, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class OpenAudio:
    """An open file or array.

    Attributes:
        name: Name of the audio for messages.
        sampling_rate: Sampling rate in Hz.
        channels: Number of channels.
        duration: Duration in seconds that the header states. None if only decoding could tell.
        format: Container, such as ``WAV``; empty for an array.
        blocks: Samples in blocks of any size, each (channels, T). They can be read once.
        damage: What of the audio cannot be heard; complete when the blocks are read.
    """

    name: str
    sampling_rate: int
    channels: int
    duration: float | None
    format: str
    blocks: Iterator[FloatArray]
    damage: DamageReport


def load_audio(
    audio: AudioSource, *, sampling_rate: int | None = None, target_rate: int, damaged: Damaged = "refuse"
) -> FloatArray:
    """Read audio as float32 mono at a given sampling rate.

    Args:
        audio: Path, bytes, binary file object, or array or tensor (T,) or (channels, T) of floats in [-1, 1] or
            full-scale integers; also ``(rate, array)`` and ``{"array", "sampling_rate"}``.
        sampling_rate: Sampling rate of an array in Hz. Leave it out for files, which have their own.
        target_rate: Sampling rate of the result in Hz.
        damaged: ``refuse`` raises an error for a file of which more than 0.1 s is missing; ``skip`` reads what can be
            heard, with silence in place of what is missing in the middle.

    Returns:
        Samples, shape (T,).

    Raises:
        AudioError: If the audio cannot be used; see :mod:`serkit.errors`.
        MissingExtraError: If the file needs PyAV, which is not installed.

    Example:
        >>> load_audio(np.zeros((2, 48_000), np.float32), sampling_rate=48_000, target_rate=16_000).shape
        (16000,)
    """
    return load_clip(audio, sampling_rate=sampling_rate, target_rate=target_rate, damaged=damaged).samples


def load_clip(
    audio: AudioSource,
    *,
    sampling_rate: int | None = None,
    target_rate: int,
    damaged: Damaged = "refuse",
    longest: float = math.inf,
) -> LoadedAudio:
    """Read audio like :func:`load_audio`, and collect remarks on it.

    Args:
        audio: See :func:`load_audio`.
        sampling_rate: See :func:`load_audio`.
        target_rate: See :func:`load_audio`.
        damaged: See :func:`load_audio`.
        longest: Longest duration in seconds. No more than it is decoded.

    Raises:
        AudioTooLongError: If the audio is longer.
        AudioError, MissingExtraError: Those of :func:`load_audio`.
    """
    check_rate(target_rate, "the target")
    with open_audio(audio, sampling_rate=sampling_rate, damaged=damaged) as sound:
        rate, count = sound.sampling_rate, 0
        mixer, meter = Mixer(rate), BandwidthMeter(rate)
        if sound.duration is not None:
            _check_length(sound.duration, longest, sound.name)
        pieces = []
        for block in sound.blocks:
            count += block.shape[1]
            _check_length(count / rate, longest, sound.name)
            pieces.append(mixer.push(block))
        pieces.append(mixer.flush())
        mono = pieces[0] if len(pieces) == 2 and not pieces[1].size else np.concatenate(pieces)
    mono = _finite(mono, sound.name)
    meter.push(mono)
    return LoadedAudio(
        samples=_finite(resample(mono, rate, target_rate), sound.name),
        sampling_rate=rate,
        name=sound.name,
        remarks=remarks_on(is_narrow=meter.is_narrow, is_cancelled=mixer.has_cancelled),
        gaps=tuple(sound.damage.gaps),
    )


@contextmanager
def open_audio(
    audio: AudioSource, *, sampling_rate: int | None = None, damaged: Damaged = "refuse"
) -> Iterator[OpenAudio]:
    """Open audio to be read block by block.

    Raises:
        AudioError: If the audio cannot be used, at the start or while the blocks are read; see :mod:`serkit.errors`.
        MissingExtraError: If the file needs PyAV, which is not installed.
    """
    source, rate = plain_source(audio, sampling_rate)
    name, damage = source_name(source), DamageReport(damaged)
    if isinstance(source, np.ndarray):
        samples, rate = _from_array(source), check_rate(rate or 0)
        yield OpenAudio(name, rate, len(samples), samples.shape[1] / rate, "", iter([samples]), damage)
        return
    with open_stream(source, name) as file:
        _check_content(file, name)
        stream = without_id3(file)
        if (container := container_of(stream)) is not None:
            yield _with_end(_open_container(stream, container, name, damage), stream)
            return
        check_beginning(stream, name)
        path = source if stream is file and isinstance(source, str | os.PathLike) else None
        parts = parts_of(stream, name, damage)
        with _open_part(parts[0], path, name) as sound:
            opened = OpenAudio(
                name=name,
                sampling_rate=int(sound.samplerate),
                channels=int(sound.channels),
                duration=_announced(sound) if len(parts) == 1 else None,
                format=str(sound.format),
                blocks=_blocks_of_parts(sound, parts, stream, name, damage),
                damage=damage,
            )
            yield _with_end(opened, stream)


def read_file(source: FileSource, *, damaged: Damaged = "refuse") -> tuple[FloatArray, int]:
    """Decode a file, or a file object from its current position to its end.

    Returns:
        Samples, shape (channels, T), and the file's sampling rate in Hz.

    Raises:
        AudioError: If the file cannot be used; see :mod:`serkit.errors`.
        MissingExtraError: If the file is a video or compressed container that needs PyAV, which is not installed.
    """
    with open_audio(source, damaged=damaged) as sound:
        blocks = list(sound.blocks)
    samples = np.ascontiguousarray(blocks[0]) if len(blocks) == 1 else np.concatenate(blocks, axis=1)
    return samples, sound.sampling_rate


def probe(source: str | os.PathLike[str]) -> AudioInfo:
    """Read the properties of a file. The file is decoded only if its header does not state its length.

    Raises:
        AudioError: If the file cannot be used; see :mod:`serkit.errors`.
        MissingExtraError: If the file is a video or compressed container that needs PyAV, which is not installed.
    """
    name = source_name(source)
    with open_stream(source, name) as file:
        _check_content(file, name)
        stream = without_id3(file)
        if (container := container_of(stream)) is not None:
            info = AudioInfo(*media.probe(stream, container, name=name))
            _check_form(info.sampling_rate, info.channels, name)
            return info
    with open_audio(source) as sound:
        duration = sound.duration
        if duration is None:
            duration = sum(block.shape[1] for block in sound.blocks) / sound.sampling_rate
        return AudioInfo(sound.sampling_rate, sound.channels, duration, sound.format)


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


def _check_length(seconds: float, longest: float, name: str) -> None:
    if seconds > longest:
        raise AudioTooLongError(
            f"{name} is longer than {longest:g} s; the model answers one clip at a time. For a recording, use "
            "'serkit timeline' (Recognizer.timeline)."
        )


def _check_content(stream: BinaryIO, name: str) -> None:
    """Check that a file has bytes, and that they are not what a failed download leaves."""
    if byte_count(stream) == 0:
        raise EmptyAudioFileError(f"{name} is empty: zero bytes.")
    head = read_at(stream, 0, 64)
    for beginning, verdict in _NOT_SOUND.items():
        if re.match(beginning, head, re.IGNORECASE):
            raise UnknownAudioFormatError(f"{name} {verdict}.")


def _open_container(stream: BinaryIO, container: Any, name: str, damage: DamageReport) -> OpenAudio:
    blocks = media.decode_blocks(stream, container, name=name, damage=damage)
    first, rate = next(blocks)  # there is always one
    _check_form(rate, len(first), name)
    rest = (block for block, _ in blocks)
    return OpenAudio(name, rate, len(first), None, container.title, chain([first], rest), damage)


def _with_end(audio: OpenAudio, stream: BinaryIO) -> OpenAudio:
    """Return open audio whose last block is followed by a look behind the end of the file."""

    def blocks() -> Iterator[FloatArray]:
        count = 0
        for block in audio.blocks:
            count += block.shape[1]
            yield block
        check_follower(stream, audio.name, audio.damage, seconds=count / audio.sampling_rate)

    return replace(audio, blocks=blocks())


def _open_part(part: Part, path: str | os.PathLike[str] | None, name: str) -> Any:
    """Open a part with soundfile. A part that is the whole file is opened by its path, which is faster."""
    return _open_sound(os.fsencode(path) if part.is_whole_file and path is not None else part.file, name)


def _open_sound(target: Any, name: str) -> Any:
    """Open a path or a file object with soundfile and return its ``SoundFile``."""
    import soundfile  # takes 30 ms to import, and arrays do not need it

    try:
        sound = soundfile.SoundFile(target)
    except soundfile.LibsndfileError as error:
        if error.code == _MALFORMED:
            raise TruncatedAudioError(f"{name} is damaged or cut off: {_reason(error)}.") from error
        raise UnknownAudioFormatError(
            f"{name} is not audio that can be decoded ({_reason(error)}); expected WAV, FLAC, OGG, Opus or MP3, or "
            "with 'serkit[media]' AAC or video."
        ) from error
    _check_form(sound.samplerate, sound.channels, name)
    return sound


def _announced(sound: Any) -> float | None:
    """Return the duration in seconds by the header."""
    return None if sound.frames == UNKNOWN_FRAMES else sound.frames / sound.samplerate


def _blocks_of_parts(
    first: Any, parts: list[Part], stream: BinaryIO, name: str, damage: DamageReport
) -> Iterator[FloatArray]:
    """Yield the samples of all parts, with silence where audio is missing between them."""
    rate, channels, count = int(first.samplerate), int(first.channels), 0
    for number, part in enumerate(parts):
        with nullcontext(first) if number == 0 else _open_part(part, None, name) as sound:
            _check_same_form(sound, rate, channels, name)
            if part.missing:
                start, end = count / rate, count / rate + part.missing
                damage.lost(start, end, f"{name} is damaged: its audio from {start:.2f} s to {end:.2f} s is missing.")
                count += round(part.missing * rate)
                yield np.zeros((channels, round(part.missing * rate)), np.float32)
            for block in _decoded(sound, stream, name, damage, before=count):
                count += block.shape[1]
                yield block
    if not count:
        raise NoSamplesError(f"{name} is an audio file without samples.")


def _check_same_form(sound: Any, rate: int, channels: int, name: str) -> None:
    if sound.samplerate != rate:
        raise SamplingRateError(f"{name} changes its sampling rate midway, from {rate} to {sound.samplerate} Hz.")
    if sound.channels != channels:
        raise AudioShapeError(f"{name} changes midway from {channels} to {sound.channels} channels.")


def _decoded(sound: Any, stream: BinaryIO, name: str, damage: DamageReport, *, before: int) -> Iterator[FloatArray]:
    """Yield the samples of one part. A damaged part is read as far as possible where the caller asks for it.

    Memory is allocated for what was read, not for the length in the header, which may be wrong.
    """
    rate, count, frames = int(sound.samplerate), 0, int(sound.frames)
    fault: str | None = None
    sound.seekable = lambda: False  # stops soundfile from seeking after each read, which FLAC of unknown length forbids
    size = rate // 20 if damage.does_skip else max(1, _BLOCK // int(sound.channels))  # a fault costs its whole block
    while count < frames:
        block, fault = _read(sound, min(size, frames - count), name)
        if fault or not len(block):
            break
        count += len(block)
        yield block.T
    is_known = frames != UNKNOWN_FRAMES
    if fault is None and is_known and count < frames:
        fault = f"{name} is cut off: it has {count} of {frames} samples."
    if fault is None:
        return
    if damage.does_skip and before == 0:
        for block in _rest_by_ffmpeg(stream, count, name, damage):
            count += block.shape[1]
            yield block
    if not is_known or count < frames:
        damage.cut((before + count) / rate, (before + frames) / rate if is_known else None, fault)


def _read(sound: Any, count: int, name: str) -> tuple[FloatArray, str | None]:
    """Read a block (T, channels). Return it, and the message about a fault if there is one."""
    import soundfile

    try:
        return sound.read(count, dtype="float32", always_2d=True), None
    except soundfile.LibsndfileError as error:
        return np.empty((0, 1), np.float32), f"{name} is damaged or cut off: {_reason(error)}."


def _rest_by_ffmpeg(stream: BinaryIO, count: int, name: str, damage: DamageReport) -> Iterator[FloatArray]:
    """Yield the samples behind the first ``count``, decoded by FFmpeg, as far as it can."""
    container = lenient_container_of(stream)
    if container is None:
        return
    try:
        for block, _ in media.decode_blocks(stream, container, name=name, damage=damage):
            if block.shape[1] > count:
                yield block[:, count:]
            count = max(0, count - block.shape[1])
    except (MissingExtraError, TruncatedAudioError, UnknownAudioFormatError, NoSamplesError):
        return


def _check_form(rate: int, channels: int, name: str) -> None:
    """Check the sampling rate of a file and its number of channels."""
    check_rate(rate, name)
    if channels > MAX_CHANNELS:
        raise AudioShapeError(f"{name} has {channels} channels; expected at most {MAX_CHANNELS}.")


def _finite(samples: FloatArray, name: str) -> FloatArray:
    if not (np.abs(samples) <= _ABSURD).all():  # false for NaN too
        raise NonFiniteAudioError(f"{name} has NaN, infinite or absurdly large samples; repair it before use.")
    return samples


def _from_array(samples: NDArray[Any]) -> FloatArray:
    """Return an array as float32 (channels, T), full-scale integers scaled to [-1, 1)."""
    if samples.ndim not in (1, 2):
        raise AudioShapeError(f"expected an array (T,) or (channels, T), got shape {samples.shape}.")
    if not samples.size:
        raise NoSamplesError(f"the array of shape {samples.shape} has no samples.")
    if samples.ndim == 2 and len(samples) > MAX_CHANNELS:
        raise AudioShapeError(f"shape {samples.shape} looks like (T, channels); pass the transpose, (channels, T).")
    if np.issubdtype(samples.dtype, np.signedinteger) and samples.dtype.itemsize <= 4:
        _check_integers(samples)
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioShapeError(
            f"expected float or signed integer samples of at most 32 bits, got {samples.dtype}; convert 16-bit samples "
            "with astype(np.int16)."
        )
    with np.errstate(over="ignore"):  # load_clip refuses the infinite samples of an overflow
        return np.atleast_2d(samples).astype(np.float32, copy=False)


def _check_integers(samples: NDArray[Any]) -> None:
    """Refuse 16-bit samples in a wider type, which scaled by its width would be silence."""
    if samples.dtype.itemsize < 4:
        return
    peak = max(int(samples.max()), -int(samples.min()))
    if 0 < peak < _QUIETEST_INT32 and (samples & 0xFF).any():  # a converter of 24 bits leaves the lowest 8 empty
        raise AudioShapeError(
            f"int32 samples with a peak of {peak} look like 16-bit samples; convert them with astype(np.int16), or "
            "scale them to the full range of int32."
        )


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
