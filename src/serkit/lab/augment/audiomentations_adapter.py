"""An adapter for the transforms of the library audiomentations.

These transforms draw from the global random state of Python and numpy. Each call seeds that state from the utterance's
generator and restores it afterwards. So the number of workers does not matter, and other users of the global state are
not affected.
"""

import importlib
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from serkit.errors import MissingExtraError, RecipeError, nearest
from serkit.lab.augment.augmentation import Augmentation, Drawn, draw_seed
from serkit.types import FloatArray

_STATE = threading.Lock()  # held while a transform draws from the global generators


@dataclass(frozen=True, kw_only=True)
class Audiomentations(Augmentation):
    """Any transform of the library audiomentations, for changes that serkit does not implement itself.

    Attributes:
        transform: Name of the transform, such as ``SevenBandParametricEQ``.
        settings: Settings of the transform, without its ``p``.
    """

    name: ClassVar[str] = "audiomentations"
    transform: str = "SevenBandParametricEQ"
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def check(self) -> None:
        """Build the transform.

        Raises:
            RecipeError: If the library has no transform of this name, or does not accept the settings.
            MissingExtraError: If the library is not installed.
        """
        self._transform  # noqa: B018 - building is what raises

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw the seed of the transform's random numbers."""
        return {"seed": draw_seed(rng)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Apply the transform to samples (T,).

        Raises:
            RecipeError: If :meth:`check` fails, or the transform needs a package that is not installed.
        """
        transform = self._transform
        with _seeded(drawn["seed"]):
            try:
                changed = transform(np.array(samples, np.float32), sample_rate=sampling_rate)
            except ImportError as error:
                raise RecipeError(f"audiomentations: {self.transform} cannot run: {error}.") from error
        return np.asarray(changed, np.float32)

    def caption(self, drawn: Drawn) -> str:
        """Return the name of the transform."""
        return self.transform

    @cached_property
    def _transform(self) -> Any:
        try:
            library = importlib.import_module("audiomentations")
            base = importlib.import_module("audiomentations.core.transforms_interface").BaseWaveformTransform
        except ImportError as error:
            raise MissingExtraError("audiomentations", "lab") from error
        kinds = {
            name: kind for name, kind in vars(library).items() if isinstance(kind, type) and issubclass(kind, base)
        }
        if self.transform not in kinds:
            hint = nearest(self.transform, kinds) or "."
            raise RecipeError(f"audiomentations has no transform {self.transform!r}{hint}")
        try:
            return kinds[self.transform](**{**self.settings, "p": 1.0})
        except (TypeError, ValueError, AssertionError, ImportError) as error:
            raise RecipeError(f"audiomentations does not accept the settings of {self.transform}: {error}.") from error


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators, and restore their states afterwards."""
    with _STATE:
        plain, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the library uses it
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(numbers)  # noqa: NPY002
