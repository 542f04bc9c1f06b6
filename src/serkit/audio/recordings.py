"""Recordings that are read piece by piece, so that ten hours need no more memory than a minute.

Reading raises the same errors as :mod:`serkit.audio.decode`. Damage to a file may be noticed only at its end.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from serkit.audio import media
from serkit.audio.decode import (
    UNKNOWN_FRAMES,
    AudioSource,
    check_rate,
    check_samples,
    decode_pieces,
    open_sound,
    open_stream,
    source_name,
)
from serkit.errors import SamplingRateError
from serkit.types import FloatArray

_SECONDS = 10  # length of a piece


@dataclass(frozen=True, slots=True)
class Recording:
    """An open recording.

    Attributes:
        name: Name of the recording for messages.
        sampling_rate: Sampling rate in Hz.
        channels: Number of channels.
        pieces: Pieces of the recording, each (channels, T). They can be read once.
    """

    name: str
    sampling_rate: int
    channels: int
    pieces: Iterator[FloatArray]


@contextmanager
def open_recording(audio: AudioSource, *, sampling_rate: int | None = None) -> Iterator[Recording]:
    """Open a file or an array to be read in pieces.

    Args:
        audio: Path, binary file object, or array (T,) or (channels, T).
        sampling_rate: Sampling rate of an array in Hz. Leave it out for files.

    Raises:
        AudioError: If the audio cannot be used, at the start or while the pieces are read; see :mod:`serkit.errors`.
        MissingExtraError: If the file needs PyAV, which is not installed.
    """
    name = source_name(audio)
    if isinstance(audio, np.ndarray):
        if sampling_rate is None:
            raise SamplingRateError("an array has no sampling rate of its own; pass sampling_rate= in Hz.")
        samples, rate = check_samples(audio), check_rate(sampling_rate)
        yield Recording(name, rate, len(samples), _cut(samples, rate))
        return
    if sampling_rate is not None:
        raise SamplingRateError("sampling_rate= is for arrays only; leave it out for files, which have their own.")
    with open_stream(audio, name) as stream:
        if container := media.container_of(stream):
            yield _of_container(stream, container, name)
            return
        with open_sound(stream, audio, name) as sound:
            rate = int(sound.samplerate)
            pieces = (check_samples(piece, name) for piece in decode_pieces(sound, name, size=_SECONDS * rate))
            yield Recording(name, rate, int(sound.channels), pieces)


def _cut(samples: FloatArray, rate: int) -> Iterator[FloatArray]:
    return (samples[:, start : start + _SECONDS * rate] for start in range(0, samples.shape[1], _SECONDS * rate))


def _of_container(stream: BinaryIO, container: media.Container, name: str) -> Recording:
    blocks = media.decode_blocks(stream, container, name=name)
    first, rate = next(blocks)  # there is always one
    return Recording(name, check_rate(rate, name), len(first), _gathered(first, blocks, rate, name))


def _gathered(
    first: FloatArray, blocks: Iterator[tuple[FloatArray, int]], rate: int, name: str
) -> Iterator[FloatArray]:
    """Yield pieces of some seconds, joined from a codec's frames of some hundredths of a second."""
    waiting, count = [first], first.shape[1]
    for block, _ in blocks:
        waiting.append(block)
        count += block.shape[1]
        if count >= _SECONDS * rate:
            yield check_samples(np.concatenate(waiting, axis=1), name)
            waiting, count = [], 0
    if count:
        yield check_samples(np.concatenate(waiting, axis=1), name)


def announced_duration(path: str | os.PathLike[str]) -> int | None:
    """Return a file's duration in seconds by its header, or None if only decoding could tell."""
    name = source_name(path)
    with open_stream(path, name) as stream:
        if media.container_of(stream):
            return None
        with open_sound(stream, path, name) as sound:
            return round(sound.frames / sound.samplerate) if sound.frames < UNKNOWN_FRAMES else None


def file_name(audio: AudioSource | os.PathLike[str]) -> str:
    """Return the file name of a path, or an empty string for other audio."""
    return os.path.basename(os.fspath(audio)) if isinstance(audio, str | os.PathLike) else ""  # noqa: PTH119
