"""Stretches of time in whole ticks, as formats need them that forbid empty or overlapping intervals."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from serkit.types import Segment, Speech

MILLISECONDS = 1000  # ticks in a second
Stretch = TypeVar("Stretch", Segment, Speech)


@dataclass(frozen=True, slots=True)
class Span(Generic[Stretch]):
    """A stretch with its times in ticks; it lasts one at least."""

    start: int
    end: int
    stretch: Stretch


def spans(stretches: Iterable[Stretch], *, ticks: int = MILLISECONDS) -> list[Span[Stretch]]:
    """Round times so that no stretch ends before it starts, or starts before the last of its channel ends.

    Args:
        stretches: Of any channels.
        ticks: How many of them a second has.

    Returns:
        By start, then by channel. What is shorter than half a tick may round to nothing, and is left out.
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
    """Return a time as subtitles have it, with hours of two digits or more.

    Example:
        >>> clock(3_723_004, ",")
        '01:02:03,004'
    """
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
