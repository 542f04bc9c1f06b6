"""Spans: segments and speech in integer ticks, for formats that forbid empty or overlapping intervals."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from serkit.types import Segment, Speech

MILLISECONDS = 1000  # ticks in a second
Stretch = TypeVar("Stretch", Segment, Speech)


@dataclass(frozen=True, slots=True)
class Span(Generic[Stretch]):
    """A segment or stretch of speech with its times in ticks. It lasts at least one tick.

    Attributes:
        start: Start in ticks.
        end: End in ticks.
        stretch: The segment or stretch of speech.
    """

    start: int
    end: int
    stretch: Stretch


def spans(stretches: Iterable[Stretch], *, ticks: int = MILLISECONDS) -> list[Span[Stretch]]:
    """Round times to ticks so that spans are neither empty nor overlap the previous span of their channel.

    Args:
        stretches: Segments or stretches of speech, of any channels.
        ticks: Number of ticks in a second.

    Returns:
        Spans, ordered by start, then by channel. A stretch that rounds to zero ticks is left out.
    """
    found = []
    reached: dict[int, int] = {}
    for stretch in sorted(stretches, key=lambda one: (one.start, one.channel)):
        start = max(round(stretch.start * ticks), reached.get(stretch.channel, 0))
        end = round(stretch.end * ticks)
        if end > start:
            found.append(Span(start, end, stretch))
            reached[stretch.channel] = end
    return sorted(found, key=lambda span: (span.start, span.stretch.channel))


def clock(milliseconds: int, point: str) -> str:
    """Return a time in the format of subtitles. Hours have at least two digits.

    Args:
        milliseconds: Time in milliseconds.
        point: Character before the milliseconds.

    Example:
        >>> clock(3_723_004, ",")
        '01:02:03,004'
    """
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
