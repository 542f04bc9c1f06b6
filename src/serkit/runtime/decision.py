"""From probabilities to an answer: the most probable class, ``uncertain`` where it is not probable enough, or a set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from serkit.card import Card
from serkit.errors import RecipeError, UnknownNameError, unknown_name
from serkit.types import UNCERTAIN, FloatArray

Threshold = float | Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Decider:
    """Names the answer that probabilities stand for.

    Attributes:
        classes: In the order of the probabilities.
        least: What each class must reach, shape (C,).
    """

    classes: tuple[str, ...]
    least: tuple[float, ...]

    def __call__(self, probabilities: FloatArray) -> str:
        """Return the most probable class, or ``uncertain``."""
        best = int(np.argmax(probabilities))
        return self.classes[best] if probabilities[best] >= self.least[best] else UNCERTAIN

    def ranked(self, probabilities: FloatArray) -> dict[str, float]:
        """Return class to probability, most probable first."""
        pairs = zip(self.classes, probabilities.tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))


def make_decider(card: Card, threshold: Threshold = None) -> Decider:
    """Return what decides for a model.

    Args:
        card: Of the model.
        threshold: What the most probable class must reach: one number, or some classes to theirs. The others, and by
            default all, have the card's, which was chosen on validation speakers for a stated rate of error. 0 always
            names a class.

    Raises:
        UnknownNameError: If a class is none of the model's.
        RecipeError: If a threshold is not between 0 and 1.
    """
    default = float(card.calibration.get("threshold") or 0.0)
    given: Mapping[str, Any] = threshold if isinstance(threshold, Mapping) else {}
    for name in given:
        if name not in card.classes:
            raise unknown_name("class", name, card.classes, "serkit models show")
    common = default if threshold is None or given or isinstance(threshold, Mapping) else threshold
    least = tuple(given.get(name, common) for name in card.classes)
    if not all(isinstance(value, Real) and 0 <= float(value) <= 1 for value in least):  # false for NaN too
        raise RecipeError(f"a threshold is a probability between 0 and 1, not {threshold!r}.")
    return Decider(card.classes, tuple(map(float, least)))


def classes_within(card: Card, probabilities: Mapping[str, float], coverage: float) -> tuple[str, ...]:
    """Return the classes among which the right one is, in ``coverage`` of all cases of speakers like the validation's.

    Args:
        card: Of the model, whose calibration has what is needed.
        probabilities: Class to probability.
        coverage: Such as 0.9.

    Returns:
        Classes, most probable first; never none.

    Raises:
        UnknownNameError: If the card has no set of that coverage.

    Source:
        Sadinle, Lei and Wasserman, Least ambiguous set-valued classifiers, JASA 2019.
    """
    known: Mapping[str, float] = card.calibration.get("conformal") or {}
    if not isinstance(coverage, Real) or f"{coverage:g}" not in known:
        there = ", ".join(known) or "none, for it was exported without validation answers"
        raise UnknownNameError(f"the model {card.name!r} has no sets with a coverage of {coverage}; it has {there}.")
    ranked: Sequence[str] = sorted(probabilities, key=lambda name: -probabilities[name])
    chosen = tuple(name for name in ranked if probabilities[name] >= known[f"{coverage:g}"])
    return chosen or (ranked[0],)
