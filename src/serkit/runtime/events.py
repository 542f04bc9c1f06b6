"""From what a model says of windows to events: smoothed, decided, summed up at the end of each stretch of speech."""

import math
from collections.abc import Iterator

import numpy as np

from serkit.runtime.channel import Heard, Item
from serkit.runtime.decision import Decider
from serkit.runtime.windows import Begin, End
from serkit.types import FloatArray, StreamEvent


class Narrator:
    """Tells a channel's story.

    Smoothing is a running mean that forgets: each window's probabilities count ``1 - exp(-hop / smooth)``, those before
    the rest. It begins anew with each stretch of speech, and looks at nothing that comes later.

    Args:
        decider: Names answers.
        rate: Samples per second of the items' places.
        hop: Seconds.
        smooth: Seconds after which a window counts less than 37 %; 0 does not smooth.

    Attributes:
        duration: Seconds that the sound lasts, once it is known: resampling may round up what ends with it.
    """

    def __init__(self, decider: Decider, *, rate: int, hop: float, smooth: float) -> None:
        self._decider, self._rate = decider, rate
        self._share = 1 - math.exp(-hop / smooth) if smooth else 1.0
        self._smoothed: FloatArray | None = None
        self._sum = np.zeros(len(decider.classes))
        self._covered = 0  # samples that windows have told of
        self._until = 0
        self.duration = math.inf

    def tell(self, item: Item, probabilities: FloatArray | None, embedding: FloatArray | None) -> Iterator[StreamEvent]:
        """Yield what an item comes to; ``probabilities`` (C,) and ``embedding`` (D,) are those of a window."""
        if isinstance(item, Begin):
            self._smoothed, self._sum, self._covered, self._until = None, np.zeros_like(self._sum), 0, item.start
            yield StreamEvent(kind="speech_start", start=self._seconds(item.start), end=self._seconds(item.start))
        elif isinstance(item, Heard):
            assert probabilities is not None
            yield self._window(item, probabilities, embedding)
        elif isinstance(item, End):
            yield StreamEvent(kind="speech_end", start=self._seconds(item.end), end=self._seconds(item.end))
            if self._covered:
                mean = (self._sum / self._covered).astype(np.float32)
                yield self._answer("utterance", item.start, item.end, mean, None)

    def _window(self, item: Heard, probabilities: FloatArray, embedding: FloatArray | None) -> StreamEvent:
        # an utterance's mean counts a window by the sound that it is the first to hear
        fresh = item.end - max(self._until, item.start)
        self._sum, self._covered, self._until = self._sum + fresh * probabilities, self._covered + fresh, item.end
        before = probabilities if self._smoothed is None else self._smoothed
        self._smoothed = (self._share * probabilities + (1 - self._share) * before).astype(np.float32)
        return self._answer("emotion", item.start, item.end, self._smoothed, embedding)

    def _answer(
        self, kind: str, start: int, end: int, probabilities: FloatArray, embedding: FloatArray | None
    ) -> StreamEvent:
        return StreamEvent(
            kind=kind,  # type: ignore[arg-type]
            start=self._seconds(start),
            end=self._seconds(end),
            emotion=self._decider(probabilities),
            probabilities=self._decider.ranked(probabilities),
            embedding=embedding,
        )

    def _seconds(self, place: int) -> float:
        return round(min(place / self._rate, self.duration), 4)
