"""Augmentations by name, and chains of them."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serkit.errors import RecipeError, unknown_name
from serkit.lab.augment.additive_noise import Background, Noise
from serkit.lab.augment.audiomentations_adapter import Audiomentations
from serkit.lab.augment.augmentation import Augmentation
from serkit.lab.augment.filters import Gain, LowPass, Telephone
from serkit.lab.augment.reverberation import Reverberation
from serkit.lab.augment.time_and_pitch import PitchShift, Shift, Speed, Stretch
from serkit.lab.augment.vocoder import shift_pitch
from serkit.lab.recipes.config import build_settings
from serkit.types import FloatArray

_KINDS: tuple[type[Augmentation], ...] = (
    Noise, Shift, Stretch, PitchShift, LowPass, Gain, Speed, Telephone, Background, Reverberation, Audiomentations
)  # fmt: skip
_AUGMENTATIONS = {kind.name: kind for kind in _KINDS}

Entry = str | Mapping[str, Any]


@dataclass(frozen=True)
class Chain:
    """Several augmentations, applied one after the other.

    Attributes:
        parts: Augmentations in order.
    """

    parts: tuple[Augmentation, ...]

    def apply(self, samples: FloatArray, sampling_rate: int, rng: np.random.Generator) -> FloatArray:
        """Change an utterance.

        Each part draws from a child of the generator, so no part affects the random numbers of another, nor those drawn
        from the generator itself, such as masks. Adjacent ``stretch`` and ``pitch`` share one pass of the vocoder,
        which is faster and smears less than two passes.

        Args:
            samples: Waveform of shape (T,) with at least one sample; it is not modified.
            sampling_rate: Sampling rate in Hz.
            rng: Generator from :func:`serkit.lab.augment.random_of`.

        Returns:
            New waveform of shape (T',).
        """
        changed: FloatArray = np.array(samples, np.float32)
        children = rng.spawn(len(self.parts))
        drawn = [(part, part.draw_or_pass(child)) for part, child in zip(self.parts, children, strict=True)]
        changes = deque((part, numbers) for part, numbers in drawn if numbers is not None)
        while changes:
            part, numbers = changes.popleft()
            match (part, changes[0][0] if changes else None):
                case (Stretch(n_fft=n_fft), PitchShift(n_fft=other)) | (
                    PitchShift(n_fft=n_fft),
                    Stretch(n_fft=other),
                ) if n_fft == other:
                    both = {**numbers, **changes.popleft()[1]}
                    changed = shift_pitch(
                        changed, both["semitones"], sampling_rate=sampling_rate, rate=both["rate"], n_fft=n_fft
                    )
                case _:
                    changed = part.change(changed, sampling_rate, numbers)
        return changed


def augmentation_names() -> tuple[str, ...]:
    """Return the names of all augmentations of a waveform."""
    return tuple(_AUGMENTATIONS)


def build_augmentation(entry: Entry) -> Augmentation:
    """Build one augmentation.

    Args:
        entry: Name of the augmentation, or a mapping with its ``name`` and the settings that differ from the defaults.

    Raises:
        UnknownNameError: If no augmentation has this name.
        RecipeError: If a setting is unknown or has an invalid value, or the entry has no name.
    """
    settings = {"name": entry} if isinstance(entry, str) else dict(entry)
    name = settings.pop("name", None)
    if not isinstance(name, str):
        raise RecipeError(f"an augmentation must be a name or a mapping with a name, but {entry!r} has none.")
    if name not in _AUGMENTATIONS:
        raise unknown_name("augmentation", name, _AUGMENTATIONS, "serkit augment --help")
    return build_settings(_AUGMENTATIONS[name], settings, where=f"augment: {name}")


def build_chain(entries: Sequence[Entry]) -> Chain:
    """Build a chain of augmentations, and check that the files and libraries that they need exist.

    Args:
        entries: Augmentations in order, each as for :func:`build_augmentation`.

    Raises:
        UnknownNameError: If no augmentation has a given name.
        RecipeError: If a setting is unknown or has an invalid value, an entry has no name, or a folder holds no audio.
        MissingExtraError: If a library is not installed.

    Example:
        >>> chain = build_chain(["noise", {"name": "pitch", "semitones": [-1, 1], "p": 1}])
        >>> [part.name for part in chain.parts]
        ['noise', 'pitch']
    """
    chain = Chain(tuple(build_augmentation(entry) for entry in entries))
    for part in chain.parts:
        part.check()
    return chain
