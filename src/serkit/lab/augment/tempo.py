"""Augmentations of when and how fast something is said, and how high."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from serkit.audio.decode import resample
from serkit.errors import NoSamplesError
from serkit.lab.augment.augmentation import Augmentation, Drawn, Range, draw_ratio, is_range
from serkit.lab.augment.vocoder import shift_pitch, time_stretch
from serkit.lab.recipes.config import require
from serkit.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class Shift(Augmentation):
    """Move the sound in time; the length stays.

    Attributes:
        seconds: How far, backwards where negative; never more than half of the utterance.
        wrap: Whether what leaves at one end comes in at the other, as ``numpy.roll`` does; else silence comes in.
    """

    name: ClassVar[str] = "shift"
    seconds: Range = (-0.2, 0.2)
    wrap: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, seconds=is_range(self.seconds, -60, 60))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``seconds``."""
        return {"seconds": rng.uniform(*self.seconds)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Move (T,) by ``seconds``."""
        half = len(samples) // 2
        steps = max(-half, min(half, round(drawn["seconds"] * sampling_rate)))
        moved: FloatArray = np.roll(samples, steps)
        if not self.wrap:
            moved[slice(steps) if steps >= 0 else slice(steps, None)] = 0
        return moved

    def caption(self, drawn: Drawn) -> str:
        """Say how far."""
        return f"{1000 * drawn['seconds']:+.0f} ms"


@dataclass(frozen=True, kw_only=True)
class Stretch(Augmentation):
    """Speak faster or slower at the same pitch; the length becomes T / rate.

    Attributes:
        rate: How much faster.
        n_fft: Points of the vocoder's frames; None for the power of two nearest to 40 ms. 2048 at 22,050 Hz gives
            what librosa gives.
    """

    name: ClassVar[str] = "stretch"
    rate: Range = (0.8, 1.25)
    n_fft: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, rate=is_range(self.rate, 0.25, 4), n_fft=_can_overlap(self.n_fft))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``rate``."""
        return {"rate": draw_ratio(rng, self.rate)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Stretch (T,) to (round(T / rate),)."""
        return time_stretch(samples, drawn["rate"], sampling_rate=sampling_rate, n_fft=self.n_fft)

    def caption(self, drawn: Drawn) -> str:
        """Say how much faster."""
        return f"{drawn['rate']:.2f} times as fast"


@dataclass(frozen=True, kw_only=True)
class PitchShift(Augmentation):
    """Speak higher or lower at the same pace; the length stays.

    Attributes:
        semitones: Upwards.
        n_fft: As for :class:`Stretch`.
    """

    name: ClassVar[str] = "pitch"
    semitones: Range = (-2.0, 2.0)
    n_fft: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, semitones=is_range(self.semitones, -24, 24), n_fft=_can_overlap(self.n_fft))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``semitones``."""
        return {"semitones": rng.uniform(*self.semitones)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Shift the pitch of (T,)."""
        return shift_pitch(samples, drawn["semitones"], sampling_rate=sampling_rate, n_fft=self.n_fft)

    def caption(self, drawn: Drawn) -> str:
        """Say by how much."""
        return f"{drawn['semitones']:+.1f} semitones"


@dataclass(frozen=True, kw_only=True)
class Speed(Augmentation):
    """Play faster or slower: plain resampling, which changes duration and pitch together.

    Attributes:
        factor: How much faster; the length becomes T / factor.

    Source: Ko et al., Audio augmentation for speech recognition, Interspeech 2015.
    """

    name: ClassVar[str] = "speed"
    factor: Range = (0.9, 1.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, factor=is_range(self.factor, 0.5, 2))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``factor``."""
        return {"factor": draw_ratio(rng, self.factor)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Resample (T,) to about (T / factor,)."""
        try:
            return resample(samples, round(sampling_rate * drawn["factor"]), sampling_rate)
        except NoSamplesError:  # of one sample half is none
            return samples

    def caption(self, drawn: Drawn) -> str:
        """Say how much faster."""
        return f"{drawn['factor']:.2f} times as fast and high"


def _can_overlap(n_fft: int | None) -> bool:
    return n_fft is None or (n_fft >= 16 and n_fft % 4 == 0)
