"""Canonical emotions, and the named sets of classes that models are trained on.

A corpus file maps its own codes to canonical emotions. A label set then says which classes a model
has, which emotions are merged into one, and by that which are left out. Nothing is left out in silence:
:meth:`serkit.manifest.Manifest.select` counts what a label set drops.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from serkit.errors import LabelError, UnknownNameError, nearest

EMOTIONS = (
    "anger", "boredom", "calm", "contempt", "disgust", "excitement", "fear",
    "frustration", "happiness", "neutral", "sadness", "surprise", "other",
)  # fmt: skip


@dataclass(frozen=True)
class LabelSet:
    """The classes of a model.

    Attributes:
        name: Name in :data:`LABEL_SETS`.
        classes: In the order of the model's outputs.
        why: One line on the choice, shown on cards and in listings.
        merge: Canonical emotion to the class that it counts as.
    """

    name: str
    classes: tuple[str, ...]
    why: str
    merge: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def class_of(self, emotion: str) -> str | None:
        """Return the class of a canonical emotion, or None where this set leaves it out."""
        check_emotion(emotion)
        name = self.merge.get(emotion, emotion)
        return name if name in self.classes else None

    def index(self, emotion: str) -> int:
        """Return the output index of a canonical emotion.

        Raises:
            LabelError: If this set leaves the emotion out.
        """
        name = self.class_of(emotion)
        if name is None:
            raise LabelError(f"label set {self.name!r} has no class for {emotion!r}: it has {', '.join(self.classes)}.")
        return self.classes.index(name)


_RAVDESS = ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
_SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")

LABEL_SETS = {
    labels.name: labels
    for labels in (
        LabelSet("ravdess", _RAVDESS, "the eight classes of RAVDESS"),
        LabelSet(
            "emodb",
            ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"),
            "the seven classes of EmoDB",
        ),
        LabelSet("tess", _SEVEN, "the seven classes of TESS"),
        LabelSet("nemo", ("anger", "fear", "happiness", "neutral", "sadness", "surprise"), "the six classes of nEMO"),
        LabelSet(
            "basic7",
            _SEVEN,
            "Ekman's six and neutral: each is acted in two corpora or more; calm, which RAVDESS's authors added as a "
            "second kind of neutral, counts as neutral, and boredom, which EmoDB alone has, is left out",
            MappingProxyType({"calm": "neutral"}),
        ),
    )
}


def check_emotion(emotion: str) -> str:
    """Return the emotion, or raise with the list of canonical ones.

    Raises:
        LabelError: If it is not canonical.
    """
    if emotion not in EMOTIONS:
        hint = nearest(emotion, EMOTIONS) or ";"
        raise LabelError(f"unknown emotion {emotion!r}{hint} the canonical ones are {', '.join(EMOTIONS)}.")
    return emotion


def get_label_set(name: str) -> LabelSet:
    """Return a named label set.

    Raises:
        UnknownNameError: If there is none of that name.

    Example:
        >>> get_label_set("basic7").class_of("calm")
        'neutral'
    """
    try:
        return LABEL_SETS[name]
    except KeyError:
        hint = nearest(name, LABEL_SETS) or "."
        raise UnknownNameError(f"no label set {name!r}{hint} There are {', '.join(LABEL_SETS)}.") from None
