"""Canonical emotions, the maps to them, and the label sets that models are trained on.

An :class:`EmotionMap` maps a corpus's own labels to canonical emotions. A :class:`LabelSet` lists the classes of a
model and the emotions that are merged into one class; it leaves all other emotions out.
:meth:`serkit.data.manifest.Manifest.select` counts the utterances that a label set leaves out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from serkit.errors import LabelError, UnknownNameError, nearest

EMOTIONS = (
    "anger", "boredom", "calm", "contempt", "disgust", "excitement", "fear",
    "frustration", "happiness", "neutral", "sadness", "surprise", "other",
)  # fmt: skip


class EmotionMap(Mapping[str, str]):
    """A mapping from a corpus's own labels to canonical emotions.

    Args:
        owner: Name of the corpus for messages.
        version: Version of the mapping. It is raised whenever an entry changes its meaning, since results made with
            the mapping change too.
        emotions: Canonical emotion of each own label.

    Example:
        >>> EmotionMap("EmoDB", 1, {"W": "anger", "T": "sadness"})["X"]
        Traceback (most recent call last):
        serkit.errors.LabelError: EmoDB has no label 'X': it knows W (anger), T (sadness).
    """

    def __init__(self, owner: str, version: int, emotions: Mapping[str, str]) -> None:
        self.owner = owner
        self.version = version
        self._emotions = {label: check_emotion(emotion) for label, emotion in emotions.items()}

    def __getitem__(self, label: str) -> str:
        try:
            return self._emotions[label]
        except KeyError:
            known = ", ".join(f"{own} ({emotion})" for own, emotion in self._emotions.items())
            raise LabelError(f"{self.owner} has no label {label!r}: it knows {known}.") from None

    def __contains__(self, label: object) -> bool:  # the inherited method expects a KeyError from __getitem__
        return label in self._emotions

    def __iter__(self) -> Iterator[str]:
        return iter(self._emotions)

    def __len__(self) -> int:
        return len(self._emotions)

    @property
    def classes(self) -> tuple[str, ...]:
        """The canonical emotions of the mapping, each once, in alphabetical order."""
        return tuple(sorted(set(self._emotions.values())))


@dataclass(frozen=True)
class LabelSet:
    """The classes of a model.

    Attributes:
        name: Name in :data:`LABEL_SETS`.
        classes: Classes, in the order of the model's outputs.
        why: Reason for these classes in one line, for cards and listings.
        merge: Class of each canonical emotion that is merged into another one.
        fact: Key of :attr:`serkit.types.Utterance.extra` with the emotion to use in place of the utterance's own, such
            as ``heard``; several emotions joined by colons are a tie, which the set leaves out. Empty for the
            utterance's own.
    """

    name: str
    classes: tuple[str, ...]
    why: str
    merge: Mapping[str, str] = field(default_factory=dict, hash=False)
    fact: str = ""

    def class_of(self, emotion: str) -> str | None:
        """Return the class of a canonical emotion, or None if this set leaves the emotion out."""
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


_SIX = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
_SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
_RAVDESS = ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
_CREMA_D = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")

LABEL_SETS = {
    labels.name: labels
    for labels in (
        LabelSet("afew", _SEVEN, "the seven classes of AFEW"),
        LabelSet("crema-d", _CREMA_D, "the six classes of CREMA-D, as acted"),
        LabelSet(
            "crema-d-heard",
            _CREMA_D,
            "the emotion that most listeners heard in the voice alone; clips without a majority are left out",
            fact="heard",
        ),
        LabelSet(
            "emodb",
            ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"),
            "the seven classes of EmoDB",
        ),
        LabelSet("enterface", _SIX, "the six classes of eNTERFACE'05"),
        LabelSet(
            "iemocap",
            (
                "anger", "disgust", "excitement", "fear", "frustration",
                "happiness", "neutral", "other", "sadness", "surprise",
            ),
            "all ten labels of IEMOCAP on which its listeners agreed",
        ),
        LabelSet("kaggle-ser-en", _RAVDESS, "the eight classes of CREMA-D, RAVDESS, SAVEE and TESS together"),
        LabelSet("nemo", ("anger", "fear", "happiness", "neutral", "sadness", "surprise"), "the six classes of nEMO"),
        LabelSet("ravdess", _RAVDESS, "the eight classes of RAVDESS"),
        LabelSet(
            "ravdess-song",
            ("anger", "calm", "fear", "happiness", "neutral", "sadness"),
            "the six classes of RAVDESS's songs",
        ),
        LabelSet("savee", _SEVEN, "the seven classes of SAVEE"),
        LabelSet("tess", _SEVEN, "the seven classes of TESS"),
        LabelSet(
            "superset6",
            _CREMA_D,
            "what CREMA-D, RAVDESS, SAVEE and TESS share; calm and surprise, which not all of them have, are left out",
        ),
        LabelSet(
            "iemocap4",
            ("anger", "happiness", "neutral", "sadness"),
            "the usual four of IEMOCAP: excitement counts as happiness, the other labels are left out",
            {"excitement": "happiness"},
        ),
        LabelSet(
            "basic7",
            _SEVEN,
            "Ekman's six and neutral: each is acted in two corpora or more; calm, which RAVDESS's authors added as a "
            "second kind of neutral, counts as neutral, and boredom, which EmoDB alone has, is left out",
            {"calm": "neutral"},
        ),
    )
}  # fmt: skip

COMMON = "common"  # name of the label set that common_labels makes from the corpora of an experiment


def common_labels(classes: Mapping[str, Iterable[str]]) -> LabelSet:
    """Return the label set of a cross-corpus experiment: the emotions that all its corpora have.

    Args:
        classes: Canonical emotions of each corpus.

    Returns:
        A label set named ``common``. Its reason names the corpora and the emotions of each that are left out.

    Raises:
        LabelError: If the corpora share fewer than two emotions.

    Example:
        >>> common_labels({"emodb": ("anger", "boredom", "neutral"), "tess": ("anger", "neutral")}).why
        'what emodb and tess share; left out: boredom (emodb)'
    """
    sets = {name: set(emotions) for name, emotions in classes.items()}
    shared = tuple(sorted(set.intersection(*sets.values()))) if sets else ()
    names = " and ".join(sets)
    if len(shared) < 2:
        if not sets:
            raise LabelError("no corpora are named, so they share no emotion; name at least two.")
        plural = "" if len(shared) == 1 else "s"
        raise LabelError(f"{names} share {len(shared)} emotion{plural}; a label set needs at least two.")
    lost = ", ".join(
        f"{', '.join(sorted(extra))} ({name})" for name, own in sets.items() if (extra := own - set(shared))
    )
    return LabelSet(COMMON, shared, f"what {names} share" + (f"; left out: {lost}" if lost else ""))


def check_emotion(emotion: str) -> str:
    """Return the emotion if it is canonical.

    Raises:
        LabelError: If it is not; the message lists the canonical emotions.
    """
    if emotion not in EMOTIONS:
        hint = nearest(emotion, EMOTIONS) or ";"
        raise LabelError(f"unknown emotion {emotion!r}{hint} the canonical ones are {', '.join(EMOTIONS)}.")
    return emotion


def get_label_set(name: str) -> LabelSet:
    """Return the label set of a name.

    Raises:
        UnknownNameError: If there is no label set of that name.

    Example:
        >>> get_label_set("basic7").class_of("calm")
        'neutral'
    """
    try:
        return LABEL_SETS[name]
    except KeyError:
        hint = nearest(name, LABEL_SETS) or "."
        raise UnknownNameError(f"no label set {name!r}{hint} There are {', '.join((*LABEL_SETS, COMMON))}.") from None
