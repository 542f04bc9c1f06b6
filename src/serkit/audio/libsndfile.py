"""Audio files that libsndfile reads, part after part, as far as they can be heard."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, BinaryIO

import numpy as np

from serkit.audio import media
from serkit.audio.arrays import check_form
from serkit.audio.containers import lenient_container_of
from serkit.audio.damage import DamageReport
from serkit.audio.joined_parts import Part
from serkit.audio.resampling import Resampler
from serkit.audio.sectioned_file import ForDecoder
from serkit.errors import (
    AudioShapeError,
    MissingExtraError,
    NoSamplesError,
    SamplingRateError,
    TruncatedAudioError,
    UnknownAudioFormatError,
)
from serkit.types import FloatArray

UNKNOWN_FRAMES = 2**63 - 1  # libsndfile's length of a FLAC file that was written to a pipe
_MALFORMED = 3  # libsndfile's SF_ERR_MALFORMED_FILE
_BLOCK = 1 << 20  # samples of all channels in a block


def open_part(part: Part, path: str | os.PathLike[str] | None, name: str) -> Any:
    """Open a part with soundfile. A part that is the whole file is opened by its path, which is faster."""
    return _open_sound(os.fsencode(path) if part.is_whole_file and path is not None else ForDecoder(part.open()), name)


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
    check_form(sound.samplerate, sound.channels, name)
    return sound


def announced_seconds(sound: Any) -> float | None:
    """Return the duration in seconds by the header."""
    return None if sound.frames == UNKNOWN_FRAMES else sound.frames / sound.samplerate


def decode_parts(
    first: Any, parts: list[Part], stream: BinaryIO, name: str, damage: DamageReport
) -> Iterator[FloatArray]:
    """Yield the samples of all parts, with silence where audio is missing between them."""
    rate, channels, count = int(first.samplerate), int(first.channels), 0
    for number, part in enumerate(parts):
        with nullcontext(first) if number == 0 else open_part(part, None, name) as sound:
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
        for block in _rest_by_ffmpeg(stream, count, rate, name, damage):
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


def _rest_by_ffmpeg(stream: BinaryIO, count: int, rate: int, name: str, damage: DamageReport) -> Iterator[FloatArray]:
    """Yield the samples behind the first ``count``, decoded by FFmpeg, as far as it can."""
    container = lenient_container_of(stream)
    if container is None:
        return
    try:
        for block in _at_rate(media.decode_blocks(stream, container, name=name, damage=damage), rate):
            if block.shape[1] > count:
                yield block[:, count:]
            count = max(0, count - block.shape[1])
    except (MissingExtraError, TruncatedAudioError, UnknownAudioFormatError, NoSamplesError):
        return


def _at_rate(blocks: Iterator[tuple[FloatArray, int]], rate: int) -> Iterator[FloatArray]:
    """Yield blocks at a sampling rate: FFmpeg decodes all Opus at 48 kHz, libsndfile at the recorder's rate."""
    resamplers: list[Resampler] = []
    for block, own_rate in blocks:
        resamplers = resamplers or [Resampler(own_rate, rate) for _ in block]
        yield np.stack([resampler.push(channel) for resampler, channel in zip(resamplers, block, strict=True)])
    if resamplers:
        yield np.stack([resampler.flush() for resampler in resamplers])


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
