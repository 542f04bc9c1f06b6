"""Mixing to mono: the mean of the channels, or the louder channel where the mean cancels them out."""

import numpy as np
from numpy.typing import NDArray

from serkit.types import FloatArray

_BLOCK_SECONDS = 0.02
_CANCELLED = 0.01  # energy of the mean over that of channels without relation; a stereo pair reaches 0.01 at 20 dB
_AS_LOUD = 0.99  # energy over that of the loudest channel; rounding must not decide between a pair


class Mixer:
    """Mixes pieces of audio to mono. The size of the pieces does not change the result.

    Some cables and effects invert one of two channels, and the mean of the channels is then silence. So each block of
    20 ms whose mean is 20 dB weaker than the channels is taken from the channel that has been the loudest so far.

    Args:
        rate: Sampling rate in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._size = max(1, round(_BLOCK_SECONDS * rate))
        self._rest: FloatArray | None = None  # (channels, less than a block)
        self._energies = np.zeros(0)  # (channels,), so far
        self._total = self._cancelled = 0.0

    @property
    def has_cancelled(self) -> bool:
        """Whether the channels cancelled each other out in most of the sound so far."""
        return self._cancelled > 0.5 * self._total

    def push(self, samples: FloatArray) -> FloatArray:
        """Add samples (channels, T) and return the mono samples that are ready (T',). Mono is ready at once."""
        if self._rest is not None and len(self._rest) != len(samples):
            return np.concatenate([self.flush(), self.push(samples)])  # the number of channels changes midway
        if len(samples) == 1:
            mono: FloatArray = samples[0]
            return mono
        joined = samples if self._rest is None else np.concatenate([self._rest, samples], axis=1)
        whole = joined.shape[1] // self._size * self._size
        self._rest = joined[:, whole:].copy()
        return self._mixed(joined[:, :whole])

    def flush(self) -> FloatArray:
        """Return the rest of the mono samples (T',). The mixer can be used again."""
        rest, self._rest = self._rest, None
        mono = np.empty(0, np.float32) if rest is None or not rest.shape[1] else self._mixed(rest)
        self._energies = np.zeros(0)
        return mono

    def _mixed(self, samples: FloatArray) -> FloatArray:
        """Mix whole blocks, or one last block that is shorter."""
        with np.errstate(over="ignore", invalid="ignore"):  # the infinite samples of an overflow are refused later
            mono: FloatArray = samples.mean(axis=0, dtype=np.float32)
            if not mono.size:
                return mono
            starts = np.arange(0, samples.shape[1], self._size)
            energies = _energies(samples, starts)  # (channels, blocks)
            of_mean = _energies(mono[None], starts)[0]
            of_channels = energies.sum(axis=0)
            is_cancelled = of_mean < _CANCELLED * of_channels / len(samples) ** 2
            before = self._energies if len(self._energies) else np.zeros(len(samples))
            so_far = before[:, None] + energies.cumsum(axis=1)
        self._energies = so_far[:, -1]
        self._total += float(of_channels.sum())
        self._cancelled += float(of_channels[is_cancelled].sum())
        for block in np.flatnonzero(is_cancelled):
            span = slice(starts[block], starts[block] + self._size)
            loudest = so_far[:, block] >= _AS_LOUD * so_far[:, block].max()
            mono[span] = samples[loudest.argmax(), span]  # the first of them
        return mono


def _energies(samples: FloatArray, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the energy of each block of each channel, without that of a constant offset: (channels, blocks)."""
    counts = np.diff(starts, append=samples.shape[1])
    sums = np.add.reduceat(samples, starts, axis=1, dtype=np.float64)
    squares = np.add.reduceat(np.square(samples, dtype=np.float64), starts, axis=1)
    without: NDArray[np.float64] = squares - np.square(sums) / counts
    return without.clip(min=0)  # rounding may leave less than nothing


def remarks_on(*, is_narrow: bool, is_cancelled: bool) -> tuple[str, ...]:
    """Return the names of the remarks that apply; see :data:`serkit.types.REMARKS`."""
    return (*(("narrowband",) if is_narrow else ()), *(("cancelled",) if is_cancelled else ()))


def mix_down(samples: FloatArray, rate: int) -> FloatArray:
    """Mix a whole recording (channels, T) to mono (T,); see :class:`Mixer`.

    Args:
        samples: Samples, shape (channels, T).
        rate: Sampling rate in Hz.
    """
    mixer = Mixer(rate)
    mono = mixer.push(samples)
    rest = mixer.flush()
    return np.concatenate([mono, rest]) if rest.size else mono
