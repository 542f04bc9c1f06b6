"""Narrator: turns the probabilities of windows into events."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from serkit.runtime.channel import Item, WindowAudio
from serkit.runtime.decision import Decider
from serkit.runtime.windows import Begin, End
from serkit.types import FloatArray, StreamEvent


class Narrator:
    """Turns the window probabilities of one channel into events.

    Probabilities are smoothed by an exponential running mean: a new window has the weight ``1 - exp(-hop / smooth)``,
    the windows before it have the rest. The mean starts anew with each stretch of speech and is causal. At the end of
    a stretch of speech, an ``utterance`` event gives the answer for the whole stretch.

    Args:
        decider: Decider that names the emotion.
        rate: Sampling rate of the items' positions in Hz.
        hop: Seconds from the start of one window to the start of the next.
        smooth: Time constant of the smoothing in seconds. 0 turns it off.

    Attributes:
        duration: Duration of the audio in seconds, once it is known. Events end there at the latest: resampling may
            round the end up.
    """

    def __init__(self, decider: Decider, *, rate: int, hop: float, smooth: float) -> None:
        self._decider, self._rate = decider, rate
        self._share = 1 - math.exp(-hop / smooth) if smooth else 1.0
        self._smoothed: FloatArray | None = None
        self._sum = np.zeros(len(decider.classes))
        self._covered = 0  # samples of this stretch of speech that windows have covered
        self._until = 0  # end of the last window
        self.duration = math.inf

    def tell(self, item: Item, probabilities: FloatArray | None, embedding: FloatArray | None) -> Iterator[StreamEvent]:
        """Yield the events of an item.

        Args:
            item: Begin of speech, window, or end of speech.
            probabilities: Probabilities of a window, shape (C,); None for other items.
            embedding: Embedding of a window, shape (D,), where the event is to carry it.
        """
        if isinstance(item, Begin):
            self._smoothed, self._sum, self._covered, self._until = None, np.zeros_like(self._sum), 0, item.start
            yield StreamEvent(kind="speech_start", start=self._seconds(item.start), end=self._seconds(item.start))
        elif isinstance(item, WindowAudio):
            assert probabilities is not None
            yield self._window(item, probabilities, embedding)
        elif isinstance(item, End):
            yield StreamEvent(kind="speech_end", start=self._seconds(item.end), end=self._seconds(item.end))
            if self._covered:
                mean = (self._sum / self._covered).astype(np.float32)
                yield self._answer("utterance", item.start, item.end, mean, None)

    def _window(self, item: WindowAudio, probabilities: FloatArray, embedding: FloatArray | None) -> StreamEvent:
        # In the utterance's mean, a window's weight is the audio that no earlier window has covered.
        fresh = item.end - max(self._until, item.start)
        self._sum, self._covered, self._until = self._sum + fresh * probabilities, self._covered + fresh, item.end
        before = probabilities if self._smoothed is None else self._smoothed
        self._smoothed = (self._share * probabilities + (1 - self._share) * before).astype(np.float32)
        return self._answer("emotion", item.start, item.end, self._smoothed, embedding)

    def _answer(
        self,
        kind: Literal["emotion", "utterance"],
        start: int,
        end: int,
        probabilities: FloatArray,
        embedding: FloatArray | None,
    ) -> StreamEvent:
        return StreamEvent(
            kind=kind,
            start=self._seconds(start),
            end=self._seconds(end),
            emotion=self._decider(probabilities),
            probabilities=self._decider.ranked(probabilities),
            embedding=embedding,
        )

    def _seconds(self, place: int) -> float:
        return round(min(place / self._rate, self.duration), 4)
