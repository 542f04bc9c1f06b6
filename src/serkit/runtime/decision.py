"""From probabilities to an answer: the most probable class, ``uncertain``, or a prediction set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from serkit.card import Card
from serkit.errors import SettingsError, UnknownNameError, unknown_name
from serkit.types import UNCERTAIN, FloatArray

Threshold = float | Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Decider:
    """Names the emotion for a model's probabilities.

    Attributes:
        classes: Classes, in the order of the probabilities.
        least: Threshold of each class, shape (C,). A class whose threshold is None is never named.
    """

    classes: tuple[str, ...]
    least: tuple[float | None, ...]

    def __call__(self, probabilities: FloatArray) -> str:
        """Return the most probable class, or ``uncertain`` if its probability is below the threshold."""
        best = int(np.argmax(probabilities))
        least = self.least[best]
        return self.classes[best] if least is not None and probabilities[best] >= least else UNCERTAIN

    def ranked(self, probabilities: FloatArray) -> dict[str, float]:
        """Return the probability of each class, most probable class first."""
        pairs = zip(self.classes, probabilities.tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))


def make_decider(card: Card, threshold: Threshold = None) -> Decider:
    """Return the decider for a model.

    Where no threshold kept the error rate in validation, no class is named unless ``threshold`` says so. Where the card
    promises nothing, for example after a conversion, the most probable class is always named.

    Args:
        card: Card of the model.
        threshold: Lowest probability at which a class is named: one number for all classes, or a mapping from some
            classes to their numbers. The other classes have the card's threshold, which was chosen on validation
            speakers for a stated error rate. None uses the card's threshold for all classes. 0 always names a class.

    Raises:
        UnknownNameError: If the model has no class of that name.
        SettingsError: If a threshold is not between 0 and 1.
    """
    default = card.calibration.get("threshold") if card.calibration else 0.0
    given: Mapping[str, Any] = threshold if isinstance(threshold, Mapping) else {}
    for name in given:
        if name not in card.classes:
            raise unknown_name("class", name, card.classes, "serkit models show")
    common = default if threshold is None or isinstance(threshold, Mapping) else threshold
    asked = [*given.values()] if isinstance(threshold, Mapping) else [0.0 if threshold is None else threshold]
    if not all(isinstance(value, Real) and 0 <= float(value) <= 1 for value in asked):  # false for NaN too
        raise SettingsError(f"threshold must be a probability between 0 and 1, not {threshold!r}.")
    least = (given.get(name, common) for name in card.classes)
    return Decider(card.classes, tuple(None if value is None else float(value) for value in least))


def check_coverage(card: Card, coverage: float) -> float:
    """Return the probability from which on a class belongs to the prediction sets of a coverage.

    Call it to refuse a coverage before the work begins.

    Args:
        card: Card of the model, whose calibration lists the coverages.
        coverage: Share of answers whose prediction set must contain the right class, such as 0.9.

    Raises:
        UnknownNameError: If the card has no prediction sets for this coverage.
    """
    known: Mapping[str, float] = card.calibration.get("conformal") or {}
    if not isinstance(coverage, Real) or f"{coverage:g}" not in known:
        there = f"it has {', '.join(known)}" if known else f"its card says: {card.promise}"
        raise UnknownNameError(f"the model {card.name!r} has no prediction sets for a coverage of {coverage}; {there}.")
    return known[f"{coverage:g}"]


def classes_within(card: Card, probabilities: Mapping[str, float], coverage: float) -> tuple[str, ...]:
    """Return the prediction set: the classes that contain the right one with a given coverage.

    The coverage holds for speakers like those of the validation set.

    Args:
        card: Card of the model.
        probabilities: Probability of each class.
        coverage: Share of answers whose prediction set must contain the right class, such as 0.9.

    Returns:
        At least one class, most probable first.

    Raises:
        UnknownNameError: If the card has no prediction sets for this coverage.

    Source:
        Sadinle, Lei and Wasserman, Least ambiguous set-valued classifiers, JASA 2019.
    """
    least = check_coverage(card, coverage)
    ranked: Sequence[str] = sorted(probabilities, key=lambda name: -probabilities[name])
    chosen = tuple(name for name in ranked if probabilities[name] >= least)
    return chosen or (ranked[0],)
