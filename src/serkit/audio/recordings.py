"""A recording read piece by piece, so that ten hours need no more memory than a minute.

Everything that :mod:`serkit.audio.decode` refuses is refused here too. Damage to a file may show only at its end.
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

_SECONDS = 10  # of a piece


@dataclass(frozen=True, slots=True)
class Recording:
    """An open recording.

    Attributes:
        name: How a message names it.
        sampling_rate: In Hz.
        channels: How many.
        pieces: Samples (channels, T), one piece after the other; to be read once.
    """

    name: str
    sampling_rate: int
    channels: int
    pieces: Iterator[FloatArray]


@contextmanager
def open_recording(audio: AudioSource, *, sampling_rate: int | None = None) -> Iterator[Recording]:
    """Open a file or an array to be read in pieces.

    Args:
        audio: A path, a binary file object, or an array (T,) or (channels, T).
        sampling_rate: Rate of an array in Hz; must be left out for files.

    Raises:
        AudioError: One of its kinds, see :mod:`serkit.errors`; while the pieces are read too.
        MissingExtraError: As for :func:`serkit.audio.decode.read_file`.
    """
    name = source_name(audio)
    if isinstance(audio, np.ndarray):
        if sampling_rate is None:
            raise SamplingRateError("an array says nothing of its rate: pass sampling_rate= in Hz.")
        samples, rate = check_samples(audio), check_rate(sampling_rate)
        yield Recording(name, rate, len(samples), _cut(samples, rate))
        return
    if sampling_rate is not None:
        raise SamplingRateError("sampling_rate= is for arrays only: a file says its own rate.")
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
    first, rate = next(blocks)  # one is always there
    return Recording(name, check_rate(rate, name), len(first), _gathered(first, blocks, rate, name))


def _gathered(
    first: FloatArray, blocks: Iterator[tuple[FloatArray, int]], rate: int, name: str
) -> Iterator[FloatArray]:
    """Yield pieces of some seconds, made of the frames of a codec, which last hundredths."""
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
    """Return how many seconds a file says that it lasts, or None where it would have to be decoded for that."""
    name = source_name(path)
    with open_stream(path, name) as stream:
        if media.container_of(stream):
            return None
        with open_sound(stream, path, name) as sound:
            return round(sound.frames / sound.samplerate) if sound.frames < UNKNOWN_FRAMES else None


def file_name(audio: AudioSource | os.PathLike[str]) -> str:
    """Return the last part of a path, or nothing for what has none."""
    return os.path.basename(os.fspath(audio)) if isinstance(audio, str | os.PathLike) else ""  # noqa: PTH119
