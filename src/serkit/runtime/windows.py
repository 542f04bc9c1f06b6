"""Placer: a state machine from speech probabilities to stretches of speech and the windows in them.

Streams and timelines both run it over the same probabilities in the same order, so they place the same windows. It is
causal: a step that it has returned is final. All positions are samples from the start, at the model's sampling rate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from serkit.errors import SettingsError

_LONGEST = 60.0  # seconds: limit of the times in a rule
SHORTEST_LAST = 0.5  # seconds: a shorter last window is extended backward, since it would be too short for emotion


class Begin(NamedTuple):
    """Speech begins at ``start``."""

    start: int


class Place(NamedTuple):
    """A window from ``start`` to ``end``. The last window of a stretch may be shorter than the others."""

    start: int
    end: int


class End(NamedTuple):
    """Speech has lasted from ``start`` to ``end``."""

    start: int
    end: int


Step = Begin | Place | End


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRule:
    """Rule that decides where speech begins and ends. Times are in seconds.

    Attributes:
        on: Lowest speech probability that begins speech.
        off: Lowest speech probability that continues speech.
        shortest: Time that speech must last before it counts.
        pause: Time without speech that ends a stretch of speech.
        margin: Time added before and after each stretch, since detectors cut off the edges of words.
        reach: Time by which windows extend beyond the speech at both ends. Models are trained on clips with a little
            silence at the ends, and some judge loudness by it. It is reduced for short windows, to
            ``(window - 0.5) / 2`` but at least ``margin``.

    Raises:
        SettingsError: If a value is out of range.
    """

    on: float = 0.6
    off: float = 0.3
    shortest: float = 0.1
    pause: float = 0.5
    margin: float = 0.1
    reach: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.off <= self.on <= 1:
            raise SettingsError(
                f"the speech probabilities must be 0 <= off <= on <= 1, not off={self.off} and on={self.on}."
            )
        is_ordered = 0 <= self.margin <= self.reach <= self.pause < _LONGEST and 0 <= self.shortest < _LONGEST
        if not is_ordered:  # true for NaN too
            raise SettingsError(
                f"shortest, margin, reach and pause must be seconds below {_LONGEST:g}, with "
                "0 <= margin <= reach <= pause."
            )


class Placer:
    """Places windows in speech.

    Args:
        rate: Sampling rate of the returned positions in Hz.
        window: Length of a window in seconds.
        hop: Seconds from the start of one window to the start of the next.
        frame: Length of a speech probability's frame in seconds.
        rule: Rule for speech. None treats all audio as speech and ignores the probabilities.
        least: Shortest window that is placed, in seconds.
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
        self._frames = 0  # number of frames so far
        self._run = 0  # consecutive frames of speech that have not begun a stretch yet
        self._voiced = 0  # end of the last frame of speech, in frames
        self._ended = 0  # end of the previous stretch, in samples
        self._start: int | None = None  # start of the current stretch
        self._first = 0  # start of its first window
        self._next = 0  # start of its next window
        self._told = 0  # end of its last window

    @property
    def needed(self) -> int:
        """The first sample that a later window may contain."""
        if self._start is not None:
            return max(self._first, min(self._next, self._told - self._shortest_last))
        if self._rule is None:
            return 0
        back = self._run * self._frame + self._rule.reach
        return max(
            self._ended, round(self._frames * self._frame * self._rate) - round((back + self._frame) * self._rate)
        )

    def push(self, probabilities: Sequence[float]) -> Iterator[Step]:
        """Add the speech probabilities of the next frames and yield the steps that they complete."""
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
        """End the audio after ``length`` samples and yield the last steps."""
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
        """Place the windows that end before ``reach`` and contain enough of the speech before ``end``."""
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
        """Return where the stretch and its windows would end if no speech followed, within the frames so far."""
        end, reach = self._edges(rule)
        return min(end, self._samples(self._frames)), min(reach, self._samples(self._frames))

    def _edges(self, rule: SpeechRule) -> tuple[int, int]:
        voiced = self._samples(self._voiced)
        return voiced + round(rule.margin * self._rate), voiced + round(rule.reach * self._rate)

    def _samples(self, frames: int) -> int:
        return round(frames * self._frame * self._rate)
