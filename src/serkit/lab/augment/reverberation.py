"""Reverberation with synthetic rooms: direct sound, a few early reflections and decaying noise."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from serkit.lab.augment.augmentation import Augmentation, Bounds, Drawn, draw_ratio, draw_seed, is_range
from serkit.lab.augment.filters import fast_size
from serkit.lab.recipes.config import require
from serkit.types import FloatArray

_FIRST_S = 0.002  # earliest reflection: no wall is nearer than a third of a meter
_DENSE_S = 0.03  # time from which on reflections merge into noise
_REFLECTIONS = 12  # number of early reflections
_DECAY = math.log(1000)  # decay of an amplitude by 60 dB


@dataclass(frozen=True, kw_only=True)
class Reverberation(Augmentation):
    """Put the speaker into a room; length, power and onset stay the same.

    Attributes:
        rt60_s: Range of the reverberation time in seconds, in which the sound decays by 60 dB: 0.3 in a living room, 1
            in a lecture hall.
        drr_db: Range of the direct-to-reverberant ratio in dB: high near the microphone.
    """

    name: ClassVar[str] = "reverberation"
    rt60_s: Bounds = (0.2, 0.8)
    drr_db: Bounds = (0.0, 12.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, rt60_s=is_range(self.rt60_s, 0.05, 10), drr_db=is_range(self.drr_db, -20, 60))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``rt60_s`` and ``drr_db``."""
        rt60, drr = draw_ratio(rng, self.rt60_s), rng.uniform(*self.drr_db)
        return {"rt60_s": rt60, "drr_db": drr, "seed": draw_seed(rng)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Add the reverberation to samples (T,); sound after the end of the utterance is cut."""
        rng = np.random.default_rng(drawn["seed"])
        response = room_response(drawn["rt60_s"], drawn["drr_db"], sampling_rate=sampling_rate, rng=rng)
        size = fast_size(len(samples) + len(response))
        spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
        heard = np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)
        before, after = (float(np.sum(np.square(sound, dtype=np.float64))) for sound in (samples, heard))
        return heard * np.float32(math.sqrt(before / after)) if after else heard

    def caption(self, drawn: Drawn) -> str:
        """Describe the room and the distance."""
        return f"RT60 {drawn['rt60_s']:.2f} s, direct {drawn['drr_db']:+.1f} dB"


def room_response(rt60_s: float, drr_db: float, *, sampling_rate: int, rng: np.random.Generator) -> FloatArray:
    """Make the impulse response of a synthetic room.

    All frequencies decay at the same rate, unlike in real rooms.

    Args:
        rt60_s: Reverberation time in seconds, in which the sound decays by 60 dB.
        drr_db: Energy of the direct sound relative to that of the reflections, in dB.
        sampling_rate: Sampling rate in Hz.
        rng: Source of the reflections.

    Returns:
        Impulse response of shape (L,), ``rt60_s`` long; its first sample, the direct sound, is 1.

    Source:
        Polack, La transmission de l'energie sonore dans les salles, 1988: Gaussian noise with an exponential decay.
    """
    size = 1 + math.ceil(rt60_s * sampling_rate)
    first, dense = (max(1, round(seconds * sampling_rate)) for seconds in (_FIRST_S, _DENSE_S))
    room = rng.standard_normal(size, np.float32)
    room *= np.exp(-_DECAY / (rt60_s * sampling_rate) * np.arange(size)).astype(np.float32)
    dense = min(dense, size)
    kept = rng.integers(first, max(dense, first + 1), size=_REFLECTIONS)
    early = np.zeros(dense, np.float32)
    at = kept[kept < dense]
    early[at] = room[at] * np.float32(
        math.sqrt(max(dense - first, 1) / _REFLECTIONS)
    )  # the few reflections get the power of all
    room[:dense] = early
    energy = float(np.sum(np.square(room, dtype=np.float64)))
    room *= np.float32(math.sqrt(10 ** (-drr_db / 10) / energy)) if energy else np.float32(0)
    room[0] = 1
    return room
