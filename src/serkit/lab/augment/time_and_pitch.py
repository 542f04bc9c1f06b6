"""Augmentations of time and pitch: shift, stretch, pitch shift and speed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from serkit.audio.resampling import resample
from serkit.errors import NoSamplesError
from serkit.lab.augment.augmentation import Augmentation, Bounds, Drawn, draw_ratio, is_range
from serkit.lab.augment.vocoder import shift_pitch, time_stretch
from serkit.lab.recipes.config import require
from serkit.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class Shift(Augmentation):
    """Move the utterance in time; the length stays the same.

    Attributes:
        seconds: Range of the shift in seconds, negative for earlier; a shift is at most half of the utterance.
        wrap: Whether samples that leave at one end return at the other, as in ``numpy.roll``; otherwise silence fills
            the gap.
    """

    name: ClassVar[str] = "shift"
    seconds: Bounds = (-0.2, 0.2)
    wrap: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, seconds=is_range(self.seconds, -60, 60))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``seconds``."""
        return {"seconds": rng.uniform(*self.seconds)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Move samples (T,) by ``seconds``."""
        half = len(samples) // 2
        steps = max(-half, min(half, round(drawn["seconds"] * sampling_rate)))
        moved: FloatArray = np.roll(samples, steps)
        if not self.wrap:
            moved[slice(steps) if steps >= 0 else slice(steps, None)] = 0
        return moved

    def caption(self, drawn: Drawn) -> str:
        """Describe the shift."""
        return f"{1000 * drawn['seconds']:+.0f} ms"


@dataclass(frozen=True, kw_only=True)
class Stretch(Augmentation):
    """Speak faster or slower at the same pitch; the length becomes T / rate.

    Attributes:
        rate: Range of the tempo factor; 2 doubles the tempo.
        n_fft: Samples of the vocoder's frames; None for the power of two nearest to 40 ms. 2048 at 22,050 Hz gives
            librosa's output.
    """

    name: ClassVar[str] = "stretch"
    rate: Bounds = (0.8, 1.25)
    n_fft: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, rate=is_range(self.rate, 0.25, 4), n_fft=_can_overlap(self.n_fft))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``rate``."""
        return {"rate": draw_ratio(rng, self.rate)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Stretch samples (T,) to (round(T / rate),)."""
        return time_stretch(samples, drawn["rate"], sampling_rate=sampling_rate, n_fft=self.n_fft)

    def caption(self, drawn: Drawn) -> str:
        """Describe the tempo."""
        return f"{drawn['rate']:.2f} times as fast"


@dataclass(frozen=True, kw_only=True)
class PitchShift(Augmentation):
    """Speak higher or lower at the same tempo; the length stays the same.

    Attributes:
        semitones: Range of the pitch shift in semitones, positive for higher.
        n_fft: Samples of the vocoder's frames, as for :class:`Stretch`.
    """

    name: ClassVar[str] = "pitch"
    semitones: Bounds = (-2.0, 2.0)
    n_fft: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, semitones=is_range(self.semitones, -24, 24), n_fft=_can_overlap(self.n_fft))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``semitones``."""
        return {"semitones": rng.uniform(*self.semitones)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Shift the pitch of samples (T,)."""
        return shift_pitch(samples, drawn["semitones"], sampling_rate=sampling_rate, n_fft=self.n_fft)

    def caption(self, drawn: Drawn) -> str:
        """Describe the pitch shift."""
        return f"{drawn['semitones']:+.1f} semitones"


@dataclass(frozen=True, kw_only=True)
class Speed(Augmentation):
    """Play faster or slower by resampling, which changes duration and pitch together.

    Attributes:
        factor: Range of the speed factor; the length becomes T / factor.

    Source: Ko et al., Audio augmentation for speech recognition, Interspeech 2015.
    """

    name: ClassVar[str] = "speed"
    factor: Bounds = (0.9, 1.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, factor=is_range(self.factor, 0.5, 2))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``factor``."""
        return {"factor": draw_ratio(rng, self.factor)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Resample samples (T,) to about (T / factor,)."""
        try:
            return resample(samples, round(sampling_rate * drawn["factor"]), sampling_rate)
        except NoSamplesError:  # a single sample at double speed leaves none
            return samples

    def caption(self, drawn: Drawn) -> str:
        """Describe the speed."""
        return f"{drawn['factor']:.2f} times as fast and high"


def _can_overlap(n_fft: int | None) -> bool:
    return n_fft is None or (n_fft >= 16 and n_fft % 4 == 0)
