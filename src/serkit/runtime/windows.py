"""Where windows go: one state machine from speech probabilities to stretches of speech and the windows in them.

A stream runs it as the sound comes in, a timeline runs it ahead; it sees the same numbers in the same order, so both
place the same windows. It is causal: what it has said it never takes back.

All places are samples at the model's sampling rate, from the beginning.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from serkit.errors import RecipeError

_LONGEST = 60.0  # seconds, of a rule
SHORTEST_LAST = 0.5  # seconds: a shorter last window reaches back, for so little says nothing of emotion


class Begin(NamedTuple):
    """Somebody begins to speak at ``start``."""

    start: int


class Place(NamedTuple):
    """A window from ``start`` to ``end``; the last one of a stretch may be shorter."""

    start: int
    end: int


class End(NamedTuple):
    """Somebody has spoken from ``start`` to ``end``."""

    start: int
    end: int


Step = Begin | Place | End


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRule:
    """When a run of speech probabilities is speech; times in seconds.

    Attributes:
        on: Probability from which on a frame begins speech.
        off: Probability below which a frame does not go on with it.
        shortest: Speech begins where it has lasted this long.
        pause: Speech ends where there has been none for this long.
        margin: Added before and behind, since detectors cut the edges of words.
        reach: How far the windows reach beyond the speech at both ends, but for short windows, of which half a second
            more than half shall be speech. Models are trained on clips with a little silence around them, and some
            hear how loud a voice is by it.
    """

    on: float = 0.6
    off: float = 0.3
    shortest: float = 0.1
    pause: float = 0.5
    margin: float = 0.1
    reach: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.off <= self.on <= 1:
            raise RecipeError(
                f"speech begins at a probability of {self.on} and ends below {self.off}: 0 <= off <= on <= 1."
            )
        is_ordered = 0 <= self.margin <= self.reach <= self.pause < _LONGEST and 0 <= self.shortest < _LONGEST
        if not is_ordered:  # of NaN too
            raise RecipeError(
                f"shortest, margin, reach and pause of speech are seconds below {_LONGEST:g}, and "
                "0 <= margin <= reach <= pause."
            )


class Placer:
    """Places windows in speech.

    Args:
        rate: Samples per second, of all that is returned.
        window: Seconds that a window lasts.
        hop: Seconds from the start of one window to that of the next.
        frame: Seconds of a frame of speech probabilities.
        rule: When there is speech; None for all sound, probabilities being ignored.
        least: Seconds; a window shorter than that is not placed.
    """

    def __init__(
        self, *, rate: int, window: float, hop: float, frame: float, rule: SpeechRule | None, least: float = 0.0
    ) -> None:
        if rule:
            reach = max(rule.margin, min(rule.reach, (window - SHORTEST_LAST) / 2))
            rule = replace(rule, reach=reach)
        self._rate, self._frame, self._rule = rate, frame, rule
        self._window, self._hop = round(window * rate), round(hop * rate)
        self._least = max(1, round(least * rate))
        self._shortest_last = min(round(SHORTEST_LAST * rate), self._window)
        self._frames = 0  # seen so far
        self._run = 0  # frames of speech in a row that have not begun a stretch yet
        self._voiced = 0  # end of the last frame of speech, in frames
        self._ended = 0  # where the stretch before ended, in samples
        self._start: int | None = None  # of the stretch that goes on
        self._first = 0  # where its first window starts
        self._next = 0  # start of the next one
        self._told = 0  # where the last window of it ended

    @property
    def needed(self) -> int:
        """The first sample that a coming window may still want."""
        if self._start is not None:
            return max(self._first, min(self._next, self._told - self._shortest_last))
        if self._rule is None:
            return 0
        back = self._run * self._frame + self._rule.reach
        return max(
            self._ended, round(self._frames * self._frame * self._rate) - round((back + self._frame) * self._rate)
        )

    def push(self, probabilities: Sequence[float]) -> Iterator[Step]:
        """Take the next frames."""
        for probability in probabilities:
            self._frames += 1
            if self._rule is None:
                if self._start is None:
                    yield self._begin(0, 0)
                yield from self._place(self._samples(self._frames), self._samples(self._frames))
            elif self._start is None:
                yield from self._wait(probability, self._rule)
            else:
                yield from self._go_on(probability, self._rule)

    def finish(self, length: int) -> Iterator[Step]:
        """End the sound after ``length`` samples."""
        if self._rule is None:
            if self._start is None and length:
                yield self._begin(0, 0)
            if self._start is not None:
                yield from self._place(length, length)
                yield from self._end(length, length)
        elif self._start is not None:
            end, reach = (min(edge, length) for edge in self._edges(self._rule))
            yield from self._place(end, reach)
            yield from self._end(end, reach)

    def _wait(self, probability: float, rule: SpeechRule) -> Iterator[Step]:
        is_speech = probability >= (rule.off if self._run else rule.on)
        self._run = self._run + 1 if is_speech else 0
        if self._run and self._run * self._frame >= rule.shortest - 1e-9:
            voiced = self._samples(self._frames - self._run)
            start, first = (voiced - round(seconds * self._rate) for seconds in (rule.margin, rule.reach))
            self._voiced, self._run = self._frames, 0
            yield self._begin(max(start, self._ended), max(first, self._ended))
            yield from self._place(*self._seen(rule))

    def _go_on(self, probability: float, rule: SpeechRule) -> Iterator[Step]:
        if probability >= rule.off:
            self._voiced = self._frames
        yield from self._place(*self._seen(rule))
        if (self._frames - self._voiced) * self._frame >= rule.pause - 1e-9:
            yield from self._end(*self._seen(rule))

    def _begin(self, start: int, first: int) -> Begin:
        self._start = start
        self._first = self._next = self._told = first
        return Begin(start)

    def _place(self, end: int, reach: int) -> Iterator[Place]:
        """Place the windows that lie before ``reach``, if there is enough in them of the speech before ``end``."""
        while self._next + self._window <= reach and self._next + self._shortest_last <= end:
            self._told = self._next + self._window
            yield Place(self._next, self._told)
            self._next += self._hop

    def _end(self, end: int, reach: int) -> Iterator[Step]:
        assert self._start is not None
        if end > max(self._told, self._next):
            first = max(min(self._next, end - self._shortest_last), self._first)
            last = min(reach, first + self._window)
            if last - first >= self._least:
                yield Place(first, last)
        yield End(self._start, end)
        self._start, self._ended = None, end

    def _seen(self, rule: SpeechRule) -> tuple[int, int]:
        """Return where the stretch would end, and how far windows reach, if no more were said; within what was seen."""
        end, reach = self._edges(rule)
        return min(end, self._samples(self._frames)), min(reach, self._samples(self._frames))

    def _edges(self, rule: SpeechRule) -> tuple[int, int]:
        voiced = self._samples(self._voiced)
        return voiced + round(rule.margin * self._rate), voiced + round(rule.reach * self._rate)

    def _samples(self, frames: int) -> int:
        return round(frames * self._frame * self._rate)
