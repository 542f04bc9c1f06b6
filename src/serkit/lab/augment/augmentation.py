"""The contract of every augmentation of a waveform: ranges in a recipe, numbers drawn from them, and the change.

Drawing and changing are apart, so that a change can be made again, shown with its numbers, and tested without luck.
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
Range = Annotated[  # what is drawn from; a recipe may give one number for a fixed value
    tuple[float, float], BeforeValidator(lambda value: (value, value) if isinstance(value, int | float) else value)
]


@dataclass(frozen=True, kw_only=True)
class Augmentation(ABC):
    """One way to change an utterance; each kind is a dataclass of its settings.

    Attributes:
        p: Probability that an utterance is changed at all.
    """

    name: ClassVar[str]
    p: float = 0.5

    def __post_init__(self) -> None:
        require(self, p=0 <= self.p <= 1)

    def apply(self, samples: FloatArray, sampling_rate: int, rng: np.random.Generator) -> FloatArray:
        """Change an utterance with probability ``p``, by numbers that are drawn from the settings' ranges.

        Args:
            samples: Shape (T,), T at least 1; left as they are.
            sampling_rate: In Hz.
            rng: The only source of chance.

        Returns:
            Shape (T,), maybe the very samples; of another length for ``stretch`` and ``speed`` alone.
        """
        drawn = self.draw_or_pass(rng)
        return samples if drawn is None else self.change(samples, sampling_rate, drawn)

    def draw_or_pass(self, rng: np.random.Generator) -> Drawn | None:
        """Draw whether to change an utterance, and by which numbers; None leaves it alone."""
        return self.draw(rng) if rng.random() < self.p else None

    def check(self) -> None:  # noqa: B027 - most need nothing
        """Look for what lies outside the settings, files or a library, before a training starts.

        Raises:
            RecipeError: If it is not there.
            MissingExtraError: If a library is not installed.
        """

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw the numbers of one change; a key ``seed`` stands for noise."""

    @abstractmethod
    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Change samples (T,) by numbers from :meth:`draw`; the same numbers always give the same samples."""

    @abstractmethod
    def caption(self, drawn: Drawn) -> str:
        """Say the numbers in a few words, for a picture."""


def random_of(seed: int, epoch: int, name: str) -> np.random.Generator:
    """Return the generator of all that is drawn for one utterance in one epoch.

    It depends on nothing else: neither on the other utterances nor on how many workers there are.

    Args:
        seed: Of the run.
        epoch: From 0.
        name: The utterance's id.
    """
    return np.random.default_rng([seed, epoch, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])])


def draw_seed(rng: np.random.Generator) -> int:
    """Draw the seed of noise that a change needs."""
    return int(rng.integers(2**63))


def draw_ratio(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a positive number whose logarithm is uniform: half and double the speed are as likely."""
    drawn = math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
    return min(max(drawn, bounds[0]), bounds[1])  # rounding would leave a range of one number


def is_range(bounds: Range, lowest: float, highest: float) -> bool:
    """Whether two bounds are in order and between limits."""
    return lowest <= bounds[0] <= bounds[1] <= highest
