"""Recordings that are read piece by piece, so that ten hours need no more memory than a minute.

Reading raises the same errors as :mod:`serkit.audio.decode`. Damage to a file may be noticed only at its end.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from serkit.audio.arrays import check_samples
from serkit.audio.containers import container_of
from serkit.audio.damage import Damaged
from serkit.audio.decode import OpenAudio, open_audio
from serkit.audio.sources import AudioSource, open_stream, source_name
from serkit.audio.tags import without_id3
from serkit.types import FloatArray

_SECONDS = 10  # length of a piece
_MOST_SAMPLES = 1 << 22  # of all channels in a piece


@contextmanager
def open_recording(
    audio: AudioSource, *, sampling_rate: int | None = None, damaged: Damaged = "refuse"
) -> Iterator[OpenAudio]:
    """Open a file or an array to be read in blocks of at most ten seconds.

    Args:
        audio: Path, bytes, binary file object, or array; see :func:`serkit.audio.decode.load_audio`.
        sampling_rate: Sampling rate of an array in Hz. Leave it out for files.
        damaged: ``refuse`` or ``skip``; see :func:`serkit.audio.decode.load_audio`.

    Raises:
        AudioError: If the audio cannot be used, at the start or while the pieces are read; see :mod:`serkit.errors`.
        MissingExtraError: If the file needs PyAV, which is not installed.
    """
    with open_audio(audio, sampling_rate=sampling_rate, damaged=damaged) as sound:
        size = max(1, min(_SECONDS * sound.sampling_rate, _MOST_SAMPLES // sound.channels))
        pieces = (check_samples(piece, sound.name) for piece in _regrouped(sound.blocks, size))
        yield replace(sound, blocks=pieces)


def _regrouped(blocks: Iterator[FloatArray], size: int) -> Iterator[FloatArray]:
    """Yield the samples of the blocks in pieces of ``size`` samples; the last one may be shorter."""
    waiting: list[FloatArray] = []
    count = 0
    for block in blocks:
        start = 0
        while count + block.shape[1] - start >= size:
            end = start + size - count
            yield np.concatenate([*waiting, block[:, start:end]], axis=1) if waiting else block[:, start:end]
            waiting, count, start = [], 0, end
        if start < block.shape[1]:
            waiting.append(block[:, start:])
            count += block.shape[1] - start
    if waiting:
        yield np.concatenate(waiting, axis=1)


def announced_duration(path: str | os.PathLike[str]) -> int | None:
    """Return a file's duration in seconds by its header, or None if only decoding could tell."""
    with open_stream(path, source_name(path)) as stream:
        if container_of(without_id3(stream)) is not None:
            return None
    with open_audio(path) as sound:
        return None if sound.duration is None else round(sound.duration)


def file_name(audio: object) -> str:
    """Return the file name of a path, or an empty string for other audio."""
    return os.path.basename(os.fspath(audio)) if isinstance(audio, str | os.PathLike) else ""  # noqa: PTH119
