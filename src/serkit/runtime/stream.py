"""Stream: emotions in live audio. You push pieces of audio and get events back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from serkit.audio.arrays import check_samples
from serkit.audio.bandwidth import BandwidthMeter
from serkit.audio.mixing import Mixer, remarks_on
from serkit.audio.resampling import check_rate
from serkit.card import Card
from serkit.errors import SamplingRateError, SettingsError, StreamClosedError
from serkit.runtime.channel import Item, Track, WindowAudio
from serkit.runtime.decision import Decider, Threshold, make_decider
from serkit.runtime.events import Narrator
from serkit.runtime.session import ModelSession, sex_value
from serkit.runtime.windows import SpeechRule
from serkit.types import FloatArray, Sex, StreamEvent

SHORTEST_WINDOW = 0.5  # seconds
LONGEST_WINDOW = 60.0
SHORTEST_HOP = 0.1
_BATCH_SECONDS = 48.0  # seconds of audio in one run of the model


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Window, speech detection and smoothing settings. Times are in seconds.

    Attributes:
        window: Length of a window.
        hop: Time from the start of one window to the start of the next.
        speech: Rule for speech detection. None treats all audio as speech.
        smooth: Time constant of the smoothing; see :class:`serkit.runtime.events.Narrator`.
        threshold: Lowest probability at which a class is named; see :func:`serkit.runtime.decision.make_decider`.
        sex: Sex of the speaker, for models that use it.
        embeddings: Whether events carry the embeddings of their windows.

    Raises:
        SettingsError: If a setting is out of range.
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
            raise SettingsError(f"window must be {SHORTEST_WINDOW} to {LONGEST_WINDOW:g} s, not {self.window:g} s.")
        if not SHORTEST_HOP <= self.hop <= LONGEST_WINDOW:
            raise SettingsError(f"hop must be {SHORTEST_HOP} to {LONGEST_WINDOW:g} s, not {self.hop:g} s.")
        sex_value(self.sex)
        if not 0 <= self.smooth <= LONGEST_WINDOW:
            raise SettingsError(f"smooth must be 0 to {LONGEST_WINDOW:g} s, not {self.smooth:g} s.")

    def track(self, card: Card, rate: int) -> Track:
        """Return the track that cuts one channel into windows for a model.

        Args:
            card: Card of the model.
            rate: Sampling rate of the channel in Hz.

        Raises:
            SettingsError: If the model takes no window of that length.
            SamplingRateError: If the rate is too low to detect speech.
        """
        if self.window < card.minimum_duration:
            raise SettingsError(
                f"window is {self.window:g} s, but the model needs at least {card.minimum_duration:g} s."
            )
        if self.window > card.maximum_duration:
            raise SettingsError(
                f"window is {self.window:g} s, but the model takes at most {card.maximum_duration:g} s at once."
            )
        return Track(
            rate=rate, model_rate=card.sampling_rate, window=self.window, hop=self.hop, rule=self.speech,
            least=card.minimum_duration,
        )  # fmt: skip

    def narrator(self, card: Card, decider: Decider) -> Narrator:
        """Return the narrator that turns one channel's window probabilities into events."""
        return Narrator(decider, rate=card.sampling_rate, hop=self.hop, smooth=self.smooth)


class Stream:
    """Recognizes emotions in live audio. :meth:`serkit.Recognizer.stream` makes one.

    The events do not depend on the size of the pieces, and are the same as those of the recording's timeline. Threads
    must not share a stream.

    A stream is a context manager. Leaving the ``with`` block closes the stream and drops what it has not answered, so
    call :meth:`flush` inside the block to get the last events.

    Args:
        model: Open model file.
        sampling_rate: Sampling rate of the audio in Hz.
        listening: Window, speech detection and smoothing settings.

    Raises:
        SamplingRateError: If the sampling rate is out of range, or too low to detect speech.
        SettingsError: If a setting does not fit the model.
    """

    def __init__(self, model: ModelSession, *, sampling_rate: int, listening: Listening) -> None:
        self._model, self._listening = model, listening
        self._rate = check_rate(sampling_rate, "the stream")
        self._decider = make_decider(model.card, listening.threshold)
        self._is_open = self._is_flushed = False
        self._waiting: list[Item] = []
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def duration(self) -> float:
        """Seconds of audio pushed since the start."""
        return self._samples / self._rate

    @property
    def remarks(self) -> tuple[str, ...]:
        """Names of remarks on the audio so far; see :data:`serkit.types.REMARKS`."""
        found = remarks_on(is_narrow=self._bandwidth.is_narrow, is_cancelled=self._mixer.has_cancelled)
        return self._model.concerning(found)

    def push(self, samples: NDArray[Any], *, sampling_rate: int | None = None) -> list[StreamEvent]:
        """Add a piece of audio.

        Args:
            samples: Floats in [-1, 1] or full-scale integers, shape (T,) or (channels, T); channels are mixed. T may
                be 0.
            sampling_rate: Sampling rate of the piece in Hz, to be checked against the stream's.

        Returns:
            The events that this piece completes, in order.

        Raises:
            AudioShapeError, NonFiniteAudioError, SamplingRateError: If the piece cannot be used. The stream ignores
                the piece, and you can push the next one.
            InferenceError: If the model fails. The next call returns the events that are missing.
            StreamClosedError: If the stream has been flushed or closed.
        """
        self._check_open()
        if self._is_flushed:  # flush() was called, but the model failed: only flush() can return what is left
            raise StreamClosedError("the stream is being flushed; call flush() again, or reset() to start anew.")
        if sampling_rate is not None and sampling_rate != self._rate:
            raise SamplingRateError(
                f"the stream has {self._rate} Hz and this piece has {sampling_rate} Hz; start another stream for it."
            )
        if isinstance(samples, np.ndarray) and samples.ndim in (1, 2) and not samples.size:
            return []
        piece = check_samples(samples, "the piece")
        self._samples += piece.shape[1]
        return self._events(self._track.push(self._mixed(self._mixer.push(piece))))

    def flush(self) -> list[StreamEvent]:
        """End the stream.

        Returns:
            The last events: the last window, the end of speech, and the answer for the utterance.

        Raises:
            InferenceError: If the model fails. Call :meth:`flush` again.
            StreamClosedError: If the stream has been flushed or closed before.
        """
        self._check_open()
        self._narrator.duration = self.duration
        events = self._events(iter(()) if self._is_flushed else self._last_items(), is_last=True)
        self._is_open = False
        return events

    def close(self) -> None:
        """End the stream without its last events. A closed stream may be closed again."""
        self._is_open = False
        self._waiting = []

    def reset(self) -> None:
        """Start again at 0 s, and drop everything before."""
        self._mixer, self._bandwidth = Mixer(self._rate), BandwidthMeter(self._rate)
        self._track = self._listening.track(self._model.card, self._rate)
        self._narrator = self._listening.narrator(self._model.card, self._decider)
        self._samples, self._is_open, self._is_flushed = 0, True, False
        self._waiting = []

    def _mixed(self, mono: FloatArray) -> FloatArray:
        self._bandwidth.push(mono)
        return mono

    def _last_items(self) -> Iterator[Item]:
        yield from self._track.push(self._mixed(self._mixer.flush()))
        yield from self._track.flush()

    def _check_open(self) -> None:
        if not self._is_open:
            raise StreamClosedError("the stream has ended; call reset() to start anew.")

    def _events(self, items: Iterator[Item], *, is_last: bool = False) -> list[StreamEvent]:
        self._waiting += items
        self._is_flushed = is_last
        events = list(tell(self._model, self._narrator, self._waiting, self._listening))
        self._waiting = []
        return events


def tell(model: ModelSession, narrator: Narrator, items: Sequence[Item], listening: Listening) -> Iterator[StreamEvent]:
    """Yield the events of one channel's items. The model runs on their windows in batches.

    All runs come before the first event, so no event is yielded if the model fails.
    """
    windows = [item for item in items if isinstance(item, WindowAudio)]
    answers = iter(answer_windows(model, windows, sex=listening.sex))
    for item in items:
        probabilities, embedding = next(answers) if isinstance(item, WindowAudio) else (None, None)
        yield from narrator.tell(item, probabilities, embedding if listening.embeddings else None)


def answer_windows(
    model: ModelSession, windows: Sequence[WindowAudio], *, sex: Sex = "unknown"
) -> list[tuple[FloatArray, FloatArray]]:
    """Return probabilities (C,) and embedding (D,) of each window. Windows of equal length form batches."""
    found: dict[int, tuple[FloatArray, FloatArray]] = {}
    by_length: dict[int, list[int]] = {}
    for place, window in enumerate(windows):
        by_length.setdefault(len(window.waveform), []).append(place)
    for length, places in by_length.items():
        for batch in _batches(places, max(1, int(_BATCH_SECONDS * model.card.sampling_rate / length))):
            waveform = np.stack([windows[place].waveform for place in batch])  # (B, T)
            lengths = np.full(len(batch), length, np.int64)
            probabilities, embeddings = model.run(
                waveform, lengths, sex=np.full(len(batch), sex_value(sex), np.float32)
            )
            found |= {place: (probabilities[i], embeddings[i]) for i, place in enumerate(batch)}
    return [found[place] for place in range(len(windows))]


def _batches(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (places[start : start + size] for start in range(0, len(places), size))
