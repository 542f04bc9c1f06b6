"""The contract of every augmentation of a waveform: draw numbers from the ranges of a recipe, then change the waveform.

Drawing and changing are separate steps, so that a change can be repeated, shown with its numbers and tested.
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator

from serkit.lab.recipes.config import require
from serkit.types import FloatArray

Drawn = Mapping[str, Any]
Bounds = Annotated[  # a range to draw from; a recipe may give one number instead
    tuple[float, float], BeforeValidator(lambda value: (value, value) if isinstance(value, int | float) else value)
]


@dataclass(frozen=True, kw_only=True)
class Augmentation(ABC):
    """One way to change an utterance; each subclass is a dataclass of its settings.

    Attributes:
        p: Probability that an utterance is changed.
    """

    name: ClassVar[str]
    p: float = 0.5

    def __post_init__(self) -> None:
        require(self, p=0 <= self.p <= 1)

    def apply(self, samples: FloatArray, sampling_rate: int, rng: np.random.Generator) -> FloatArray:
        """Change an utterance with probability ``p``, by numbers drawn from the settings' ranges.

        Args:
            samples: Waveform of shape (T,) with at least one sample; it is not modified.
            sampling_rate: Sampling rate in Hz.
            rng: Source of all random numbers.

        Returns:
            Changed waveform, or the given one. It has the shape (T,), except after ``stretch`` and ``speed``.
        """
        drawn = self.draw_or_pass(rng)
        return samples if drawn is None else self.change(samples, sampling_rate, drawn)

    def draw_or_pass(self, rng: np.random.Generator) -> Drawn | None:
        """Draw the numbers of a change, or None, with probability 1 - ``p``, for no change."""
        return self.draw(rng) if rng.random() < self.p else None

    def check(self) -> None:  # noqa: B027 - most augmentations need nothing
        """Check that files and libraries that the augmentation needs exist, before training starts.

        Raises:
            RecipeError: If a file is missing, or a library does not accept the settings.
            MissingExtraError: If a library is not installed.
        """

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw the numbers of one change; the key ``seed`` holds the seed of noise."""

    @abstractmethod
    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Change samples (T,) by numbers from :meth:`draw`; the same numbers give the same output."""

    @abstractmethod
    def caption(self, drawn: Drawn) -> str:
        """Describe the drawn numbers in a few words, for the title of a picture."""


def random_of(seed: int, epoch: int, name: str) -> np.random.Generator:
    """Return the random generator of one utterance in one epoch.

    It depends neither on the other utterances nor on the number of workers.

    Args:
        seed: Seed of the run.
        epoch: Epoch, counted from 0.
        name: Id of the utterance.
    """
    return np.random.default_rng([seed, epoch, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])])


def draw_seed(rng: np.random.Generator) -> int:
    """Draw a seed for the noise of a change."""
    return int(rng.integers(2**63))


def draw_ratio(rng: np.random.Generator, bounds: Bounds) -> float:
    """Draw a positive number with a uniform logarithm, so that half and double speed are equally likely."""
    drawn = math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
    return min(max(drawn, bounds[0]), bounds[1])  # rounding must not leave the range


def is_range(bounds: Bounds, lowest: float, highest: float) -> bool:
    """Return whether two bounds are in order and within limits."""
    return lowest <= bounds[0] <= bounds[1] <= highest
