"""Emotions while somebody speaks: sound goes in piece by piece, events come out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from serkit.audio.decode import check_rate, check_samples, mix_down
from serkit.errors import RecipeError, SamplingRateError, StreamClosedError
from serkit.runtime.channel import Heard, Item, Track
from serkit.runtime.decision import Decider, Threshold, make_decider
from serkit.runtime.events import Narrator
from serkit.runtime.windows import SpeechRule
from serkit.types import SEX_VALUES, FloatArray, Sex, StreamEvent

if TYPE_CHECKING:
    from serkit.runtime.recognizer import Recognizer

SHORTEST_WINDOW = 0.5  # seconds
LONGEST_WINDOW = 60.0
SHORTEST_HOP = 0.1
_AT_ONCE = 48.0  # seconds of sound that go through the model together


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """How sound is listened to; times in seconds.

    Attributes:
        window: Length of a window.
        hop: From the start of one to that of the next.
        speech: When there is speech; None takes all sound for it.
        smooth: See :class:`serkit.runtime.events.Narrator`.
        threshold: See :func:`serkit.runtime.decision.make_decider`.
        sex: Of the speaker, for models that make use of it.
        embeddings: Whether events carry the windows' embeddings.
    """

    window: float = 3.0
    hop: float = 1.0
    speech: SpeechRule | None = SpeechRule()  # noqa: RUF009 (frozen)
    smooth: float = 0.0
    threshold: Threshold = None
    sex: Sex = "unknown"
    embeddings: bool = False

    def __post_init__(self) -> None:
        if not SHORTEST_WINDOW <= self.window <= LONGEST_WINDOW:
            raise RecipeError(f"a window lasts {SHORTEST_WINDOW} to {LONGEST_WINDOW:g} s, not {self.window:g}.")
        if not SHORTEST_HOP <= self.hop <= LONGEST_WINDOW:
            raise RecipeError(f"a hop lasts {SHORTEST_HOP} to {LONGEST_WINDOW:g} s, not {self.hop:g}.")
        if self.sex not in SEX_VALUES:
            raise RecipeError(f"sex is one of {', '.join(SEX_VALUES)}, not {self.sex!r}.")
        if not 0 <= self.smooth <= LONGEST_WINDOW:
            raise RecipeError(f"smoothing takes 0 to {LONGEST_WINDOW:g} s, not {self.smooth:g}.")

    def track(self, recognizer: "Recognizer", rate: int) -> Track:
        """Return what hears one channel."""
        card = recognizer.card
        if self.window < card.minimum_duration:
            raise RecipeError(f"the model needs {card.minimum_duration:g} s, and a window has {self.window:g} s.")
        return Track(
            rate=rate, model_rate=card.sampling_rate, window=self.window, hop=self.hop, rule=self.speech,
            least=card.minimum_duration,
        )  # fmt: skip

    def narrator(self, recognizer: "Recognizer", decider: Decider) -> Narrator:
        """Return what tells of one channel."""
        return Narrator(decider, rate=recognizer.card.sampling_rate, hop=self.hop, smooth=self.smooth)


class Stream:
    """Emotions of sound as it comes, made by :meth:`serkit.Recognizer.stream`.

    The events do not depend on how the sound is cut into pieces, and are those of the same recording's timeline. It
    may not be shared between threads.

    Args:
        recognizer: Whose model answers.
        sampling_rate: Hz of the sound.
        listening: How.

    Raises:
        SamplingRateError: If the rate is no rate.
    """

    def __init__(self, recognizer: "Recognizer", *, sampling_rate: int, listening: Listening) -> None:
        self._recognizer, self._listening = recognizer, listening
        self._rate = check_rate(sampling_rate, "the stream")
        self._decider = make_decider(recognizer.card, listening.threshold)
        self._is_open = self._is_flushed = False
        self.reset()

    @property
    def duration(self) -> float:
        """Seconds that have been heard since the beginning."""
        return self._samples / self._rate

    def push(self, samples: NDArray[Any], *, sampling_rate: int | None = None) -> list[StreamEvent]:
        """Take the next piece of sound.

        Args:
            samples: Shape (T,), or (channels, T), which are mixed: floats in [-1, 1] or integers of full scale. T may
                be 0.
            sampling_rate: Checked against the stream's, where given.

        Returns:
            What has happened, in order.

        Raises:
            AudioShapeError, NonFiniteAudioError, SamplingRateError: If the piece cannot be used; it is then as if it
                had not come, and the stream goes on.
            InferenceError: If the model fails; what it was to answer is answered at the next call.
            StreamClosedError: After :meth:`flush`, until :meth:`reset`.
        """
        self._check_open()
        if self._is_flushed:  # but the model failed: what is left is for flush
            raise StreamClosedError("the stream is being flushed: call flush() again, or reset() to begin another.")
        if sampling_rate is not None and sampling_rate != self._rate:
            raise SamplingRateError(
                f"the stream is at {self._rate} Hz, and this piece at {sampling_rate} Hz: start another stream for it."
            )
        if isinstance(samples, np.ndarray) and samples.ndim in (1, 2) and not samples.size:
            return []
        mono = mix_down(check_samples(samples, "the piece"))
        self._samples += len(mono)
        return self._events(self._track.push(mono))

    def flush(self) -> list[StreamEvent]:
        """End the stream: the last window, the end of speech, and the answer on it.

        Raises:
            StreamClosedError: If it has ended already.
        """
        self._check_open()
        self._narrator.duration = self.duration
        events = self._events(iter(()) if self._is_flushed else self._track.flush(), is_last=True)
        self._is_open = False
        return events

    def reset(self) -> None:
        """Begin anew, at 0 s, whatever was before."""
        self._track = self._listening.track(self._recognizer, self._rate)
        self._narrator = self._listening.narrator(self._recognizer, self._decider)
        self._samples, self._is_open, self._is_flushed = 0, True, False
        self._waiting: list[Item] = []

    def _check_open(self) -> None:
        if not self._is_open:
            raise StreamClosedError("the stream has been flushed: call reset() to begin another.")

    def _events(self, items: Iterator[Item], *, is_last: bool = False) -> list[StreamEvent]:
        self._waiting += items
        self._is_flushed = is_last
        events = list(tell(self._recognizer, self._narrator, self._waiting, self._listening))
        self._waiting = []
        return events


def tell(
    recognizer: "Recognizer", narrator: Narrator, items: Sequence[Item], listening: Listening
) -> Iterator[StreamEvent]:
    """Yield the events of a channel's items, whose windows go through the model together.

    If the model fails, nothing has been told yet.
    """
    answers = iter(answer_windows(recognizer, [item for item in items if isinstance(item, Heard)], sex=listening.sex))
    for item in items:
        probabilities, embedding = next(answers) if isinstance(item, Heard) else (None, None)
        yield from narrator.tell(item, probabilities, embedding if listening.embeddings else None)


def answer_windows(
    recognizer: "Recognizer", windows: Sequence[Heard], *, sex: Sex = "unknown"
) -> list[tuple[FloatArray, FloatArray]]:
    """Return probabilities (C,) and embedding (D,) of each window; windows of one length go together."""
    found: dict[int, tuple[FloatArray, FloatArray]] = {}
    by_length: dict[int, list[int]] = {}
    for place, window in enumerate(windows):
        by_length.setdefault(len(window.waveform), []).append(place)
    for length, places in by_length.items():
        for some in _parts(places, max(1, int(_AT_ONCE * recognizer.card.sampling_rate / length))):
            waveform = np.stack([windows[place].waveform for place in some])
            lengths, given = np.full(len(some), length, np.int64), np.full(len(some), SEX_VALUES[sex], np.float32)
            probabilities, embeddings = recognizer.run(waveform, lengths, sex=given)
            found |= {place: (probabilities[i], embeddings[i]) for i, place in enumerate(some)}
    return [found[place] for place in range(len(windows))]


def _parts(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (places[start : start + size] for start in range(0, len(places), size))
