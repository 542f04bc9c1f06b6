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
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from serkit.audio import media
from serkit.audio.announced_sizes import check_announced_size
from serkit.audio.arrays import check_form, finite, from_array
from serkit.audio.bandwidth import BandwidthMeter
from serkit.audio.containers import check_beginning, container_of
from serkit.audio.damage import Damaged, DamageReport
from serkit.audio.joined_parts import check_follower, parts_of
from serkit.audio.libsndfile import announced_seconds, decode_parts, open_part
from serkit.audio.mixing import Mixer, remarks_on
from serkit.audio.resampling import check_rate, resample
from serkit.audio.sectioned_file import byte_count, read_at
from serkit.audio.sources import AudioSource, FileSource, open_stream, plain_source, source_name
from serkit.audio.tags import without_id3
from serkit.errors import (
    AudioTooLongError,
    EmptyAudioFileError,
    UnknownAudioFormatError,
)
from serkit.types import FloatArray, Gap

_NOT_SOUND = {  # first bytes of files that a failed download leaves under the name of an audio file
    rb"version https://git-lfs": "is a Git LFS pointer, not sound: fetch the file itself with 'git lfs pull'",
    rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html\b)": "is a web page, not sound: download the file again",
}


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
    mono = _read_mono(audio, sampling_rate, target_rate, damaged)
    return mono.resampled(target_rate)


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
    mono = _read_mono(audio, sampling_rate, target_rate, damaged, longest)
    meter = BandwidthMeter(mono.sampling_rate)
    meter.push(mono.samples)
    return LoadedAudio(
        samples=mono.resampled(target_rate),
        sampling_rate=mono.sampling_rate,
        name=mono.name,
        remarks=remarks_on(is_narrow=meter.is_narrow, is_cancelled=mono.has_cancelled),
        gaps=tuple(mono.damage.gaps),
    )


@dataclass(frozen=True, slots=True)
class _Mono:
    """Audio that is decoded and mixed, at its own sampling rate.

    Attributes:
        name: Name of the audio for messages.
        samples: Samples, shape (T,).
        sampling_rate: Sampling rate in Hz.
        has_cancelled: Whether the channels cancelled each other out in most of the sound.
        damage: What of the audio cannot be heard.
    """

    name: str
    samples: FloatArray
    sampling_rate: int
    has_cancelled: bool
    damage: DamageReport

    def resampled(self, target_rate: int) -> FloatArray:
        """Return the samples at another sampling rate."""
        if self.sampling_rate == target_rate:
            return self.samples
        return finite(resample(self.samples, self.sampling_rate, target_rate), self.name)


def _read_mono(
    audio: AudioSource, sampling_rate: int | None, target_rate: int, damaged: Damaged, longest: float = math.inf
) -> _Mono:
    """Decode audio and mix it. ``load_audio`` gives no remarks, and so does not pay for measuring the bandwidth."""
    check_rate(target_rate, "the target")
    with open_audio(audio, sampling_rate=sampling_rate, damaged=damaged) as sound:
        rate, count, mixer = sound.sampling_rate, 0, Mixer(sound.sampling_rate)
        if sound.duration is not None:
            _check_length(sound.duration, longest, sound.name)
        pieces = []
        for block in sound.blocks:
            count += block.shape[1]
            _check_length(count / rate, longest, sound.name)
            pieces.append(mixer.push(block))
        pieces.append(mixer.flush())
        mono = pieces[0] if len(pieces) == 2 and not pieces[1].size else np.concatenate(pieces)
        pieces.clear()  # a minute at the highest sampling rate has 184 MB
    return _Mono(sound.name, finite(mono, sound.name), rate, mixer.has_cancelled, sound.damage)


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
        samples, rate = from_array(source), check_rate(rate or 0)
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
        with open_part(parts[0], path, name) as sound:
            opened = OpenAudio(
                name=name,
                sampling_rate=int(sound.samplerate),
                channels=int(sound.channels),
                duration=announced_seconds(sound) if len(parts) == 1 else None,
                format=str(sound.format),
                blocks=decode_parts(sound, parts, stream, name, damage),
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
            check_form(info.sampling_rate, info.channels, name)
            return info
    with open_audio(source) as sound:
        duration = sound.duration
        if duration is None:
            duration = sum(block.shape[1] for block in sound.blocks) / sound.sampling_rate
        return AudioInfo(sound.sampling_rate, sound.channels, duration, sound.format)


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
    check_form(rate, len(first), name)
    rest = (block for block, _ in blocks)
    return OpenAudio(name, rate, len(first), None, container.title, chain([first], rest), damage)


def _with_end(audio: OpenAudio, stream: BinaryIO) -> OpenAudio:
    """Return open audio whose last block is followed by a look at the end of the file, and behind it."""

    def blocks() -> Iterator[FloatArray]:
        count = 0
        for block in audio.blocks:
            count += block.shape[1]
            yield block
        seconds = count / audio.sampling_rate
        check_announced_size(stream, audio.name, audio.damage, seconds=seconds)
        check_follower(stream, audio.name, audio.damage, seconds=seconds)

    return replace(audio, blocks=blocks())
