"""The data types that every part of serkit shares: frozen dataclasses without behavior.

Predictions, windows and events compare and hash without error: mappings count in comparisons but not in hashes,
embeddings in neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sex = Literal["male", "female", "unknown"]
FloatArray = NDArray[np.float32]

UNCERTAIN = "uncertain"  # stands in place of an emotion where no class reaches its threshold
NO_SPEECH = "no speech"  # stands in place of an emotion where no speech was detected
REMARKS: Mapping[str, str] = {  # what an answer may be worth less for
    "narrowband": "the audio has nothing above 4 kHz, like a telephone call; the model was trained on full bandwidth, "
    "where it may answer otherwise",
    "cancelled": "the channels cancel each other out when mixed; the louder channel was used",
}
SEX_VALUES: Mapping[Sex, float] = {"male": 1.0, "female": 0.0, "unknown": 0.5}  # values of a model's ``sex`` input


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One piece of speech by one speaker with one emotion.

    Attributes:
        id: Identifier, unique over all corpora: the corpus, a slash, the corpus's own name (``ravdess/03-01-...``).
        path: Audio file, relative to the corpus root, with forward slashes.
        start: Start in the file in seconds.
        end: End in the file in seconds. None is the end of the file.
        corpus: Name of the corpus in the registry.
        speaker: Speaker, with the corpus (``ravdess/03``), since EmoDB and RAVDESS both have a speaker 03.
        sex: Sex of the speaker.
        language: ISO 639-1 code of the language.
        emotion: Canonical emotion; see :mod:`serkit.labels`.
        sentence: Code of the spoken sentence, the same for all speakers; empty where unknown.
        session: Recording session; empty where the corpus has none.
        intensity: Intensity in the corpus's own words, such as ``strong``; empty where the corpus has none.
        split: Split that the corpus publishes; empty where the corpus has none.
        extra: Other facts from the corpus. The key ``label`` holds its own label.
        fingerprint: Acoustic fingerprint as base64, see :func:`serkit.audio.fingerprint.fingerprint`; empty where the
            manifest has none. It is not compared.
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
    fingerprint: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sound file of a corpus that is left out, and the reason.

    Attributes:
        path: Sound file, relative to the corpus root, with forward slashes.
        reason: Reason in fixed words, since reasons are counted.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of a recording without audio: the recorder paused, or the file is damaged.

    Attributes:
        start: Start in seconds from the start of the recording.
        end: End in seconds. None at the end of a damaged file whose duration is unknown.
    """

    start: float
    end: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A model's answer for one clip.

    Two predictions are equal if emotion, probabilities and duration are; embeddings are not compared.

    Attributes:
        emotion: Most probable class, or ``uncertain``, or ``no speech``.
        probabilities: Probability of each class, most probable first; they sum to 1. They are calibrated on held-out
            speakers of the model's own corpora, so they may be wrong for other voices.
        embedding: Embedding of the clip, shape (D,).
        duration: Duration of the clip in seconds.
        remarks: Names of remarks on the audio; see :data:`REMARKS`.
        gaps: Stretches of the clip without audio.
    """

    emotion: str
    probabilities: Mapping[str, float] = field(hash=False)
    embedding: FloatArray = field(hash=False, compare=False)
    duration: float
    remarks: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A stretch of speech.

    Attributes:
        start: Start in seconds from the start of the recording.
        end: End in seconds from the start of the recording.
        channel: Channel, counted from 0; also 0 where channels were mixed.
    """

    start: float
    end: float
    channel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A model's answer for one window of speech.

    Attributes:
        start: Start in seconds from the start of the recording.
        end: End in seconds. The last window of a stretch of speech may be shorter than the others.
        emotion: Most probable class, or ``uncertain``.
        probabilities: Probability of each class, most probable first; smoothed where smoothing is on.
        embedding: Embedding of the window, shape (D,), where embeddings were requested. It is not compared.
        channel: Channel, counted from 0; also 0 where channels were mixed.
    """

    start: float
    end: float
    emotion: str
    probabilities: Mapping[str, float] = field(hash=False)
    embedding: FloatArray | None = field(default=None, hash=False, compare=False)
    channel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech with one emotion: consecutive windows with the same answer, merged.

    Attributes:
        start: Start in seconds from the start of the recording.
        end: End in seconds. Segments of one channel do not overlap.
        emotion: Emotion of the windows, or ``uncertain``.
        probabilities: Mean probability of each class over the windows, most probable first.
        channel: Channel, counted from 0; also 0 where channels were mixed.
    """

    start: float
    end: float
    emotion: str
    probabilities: Mapping[str, float] = field(hash=False)
    channel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """An event of a stream.

    Attributes:
        kind: ``speech_start`` and ``speech_end`` are the moments when speech begins and ends; their ``start`` and
            ``end`` are equal. ``emotion`` is the answer for one window. ``utterance`` is the answer for a whole
            stretch of speech, and comes after its end.
        start: Start in seconds from the start of the stream.
        end: End in seconds from the start of the stream.
        emotion: Most probable class, or ``uncertain``; empty for ``speech_start`` and ``speech_end``.
        probabilities: Probability of each class, most probable first; for an utterance the mean over its windows.
            Empty for ``speech_start`` and ``speech_end``.
        embedding: Embedding of the window, shape (D,), where embeddings were requested. It is not compared.
    """

    kind: Literal["speech_start", "emotion", "speech_end", "utterance"]
    start: float
    end: float
    emotion: str = ""
    probabilities: Mapping[str, float] = field(default_factory=dict, hash=False)
    embedding: FloatArray | None = field(default=None, hash=False, compare=False)
