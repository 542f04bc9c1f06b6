"""The data shapes that every part of serkit shares: frozen dataclasses, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sex = Literal["male", "female", "unknown"]
FloatArray = NDArray[np.float32]

SEX_VALUES: Mapping[Sex, float] = {"male": 1.0, "female": 0.0, "unknown": 0.5}  # as an input of a model that uses it


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One piece of speech by one speaker with one emotion.

    Attributes:
        id: Unique over corpora: the corpus, a slash, the corpus's own name (``ravdess/03-01-...``).
        path: Audio file, relative to the corpus root, with forward slashes.
        start: Seconds into the file.
        end: Seconds into the file, or None for its end.
        corpus: Name in the registry of corpora.
        speaker: Carries the corpus (``ravdess/03``): EmoDB and RAVDESS both have a speaker 03.
        sex: Of the speaker.
        language: ISO 639-1 code.
        emotion: A canonical emotion, see :mod:`serkit.labels`.
        sentence: What was said, as a code that is shared by all who said it; empty where unknown.
        session: Recording session, empty where the corpus has none.
        intensity: The corpus's own word, such as ``strong``; empty where it has none.
        split: The corpus's own published split, empty where it has none.
        extra: Whatever else the corpus says; its own label is under ``label``.
    """

    id: str
    path: str
    corpus: str
    speaker: str
    emotion: str
    start: float = 0.0
    end: float | None = None
    sex: Sex = "unknown"
    language: str = ""
    sentence: str = ""
    session: str = ""
    intensity: str = ""
    split: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sound file of a corpus that is not read, and why.

    Attributes:
        path: Relative to the corpus root, with forward slashes.
        reason: The same words for all files that are left out for it, since reasons are counted.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one clip.

    Attributes:
        emotion: The most probable class.
        probabilities: Class to probability, most probable first; they sum to 1. Calibrated on held-out speakers of
            the model's own corpora, which says little of other voices.
        embedding: The model's utterance embedding, shape (D,).
        duration: Seconds of audio that were heard.
    """

    emotion: str
    probabilities: Mapping[str, float]
    embedding: FloatArray
    duration: float
