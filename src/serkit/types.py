"""The data shapes that every part of serkit shares: frozen dataclasses, no behavior."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sex = Literal["male", "female", "unknown"]
FloatArray = NDArray[np.float32]

UNCERTAIN = "uncertain"  # in an emotion's place, where no class is probable enough
NO_SPEECH = "no speech"  # in an emotion's place, where nobody speaks
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
        emotion: The most probable class, or ``uncertain``, or ``no speech``.
        probabilities: Class to probability, most probable first; they sum to 1. Calibrated on held-out speakers of
            the model's own corpora, which says little of other voices.
        embedding: The model's utterance embedding, shape (D,).
        duration: Seconds of audio that were heard.
    """

    emotion: str
    probabilities: Mapping[str, float]
    embedding: FloatArray
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A stretch in which somebody speaks, in seconds from the beginning."""

    start: float
    end: float
    channel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a model says of one window of speech.

    Attributes:
        start: Seconds from the beginning of the recording.
        end: Likewise; the last window of a stretch of speech may be shorter than the others.
        emotion: The most probable class, or ``uncertain``.
        probabilities: Class to probability, most probable first; smoothed where that was asked for.
        embedding: Shape (D,), where embeddings were asked for.
        channel: From 0; 0 too where channels were mixed.
    """

    start: float
    end: float
    emotion: str
    probabilities: Mapping[str, float] = field(hash=False)
    embedding: FloatArray | None = field(default=None, hash=False, compare=False)
    channel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech with one emotion: windows in a row that say the same.

    Attributes:
        start: Seconds from the beginning of the recording.
        end: Likewise; segments of a channel do not overlap.
        emotion: That of its windows; may be ``uncertain``.
        probabilities: The mean over its windows, most probable first.
        channel: From 0; 0 too where channels were mixed.
    """

    start: float
    end: float
    emotion: str
    probabilities: Mapping[str, float] = field(hash=False)
    channel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """Something that happened in a stream.

    Attributes:
        kind: ``speech_start`` and ``speech_end``: somebody begins or ends to speak, at ``start`` and ``end`` alike.
            ``emotion``: an answer on one window, from ``start`` to ``end``. ``utterance``: the answer on a whole
            stretch of speech, after its end.
        start: Seconds from the beginning of the stream.
        end: Likewise.
        emotion: As in :class:`Window`; empty for the first two kinds.
        probabilities: Likewise; of an utterance the mean over its windows.
        embedding: Of an ``emotion`` event, shape (D,).
    """

    kind: Literal["speech_start", "emotion", "speech_end", "utterance"]
    start: float
    end: float
    emotion: str = ""
    probabilities: Mapping[str, float] = field(default_factory=dict, hash=False)
    embedding: FloatArray | None = field(default=None, hash=False, compare=False)
