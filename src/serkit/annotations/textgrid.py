"""TextGrid for Praat: an interval tier for speech and one for emotion in each channel.

Each tier covers the recording from 0 to its end without gaps; where there is no speech, an interval has no text.
Labels are emotions without probabilities, so that scripts can compare them. Times have up to 6 decimals and never an
exponent, which simple readers cannot parse.

Source:
    Praat's manual, "TextGrid file formats": https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html
"""

from collections.abc import Iterator, Sequence

from serkit.annotations.spans import spans
from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import one_line, tier_name

_TICKS = 1_000_000  # in a second
Intervals = list[tuple[int, int, str]]  # start and end in ticks, text


def write(timeline: TimelineData) -> str:
    """Return a timeline as a TextGrid in Praat's long form."""
    speech, segments = spans(timeline.speech, ticks=_TICKS), spans(timeline.segments, ticks=_TICKS)
    # A time that is rounded up must not lie beyond the end, and Praat refuses a grid of length zero.
    end = max(1, round(timeline.duration * _TICKS), *(s.end for s in speech), *(s.end for s in segments))
    tiers: list[tuple[str, Intervals]] = []
    for channel in range(timeline.channels):
        marked = [(s.start, s.end, "speech") for s in speech if s.stretch.channel == channel]
        named = [(s.start, s.end, one_line(s.stretch.emotion)) for s in segments if s.stretch.channel == channel]
        tiers.append((tier_name(timeline, "speech", channel), _without_gaps(marked, end)))
        tiers.append((tier_name(timeline, "emotion", channel), _without_gaps(named, end)))
    return "\n".join(_lines(tiers, end)) + "\n"


def _without_gaps(intervals: Intervals, end: int) -> Intervals:
    filled: Intervals = []
    reached = 0
    for start, stop, text in (*intervals, (end, end, "")):
        if start > reached:
            filled.append((reached, start, ""))
        if stop > start:
            filled.append((start, stop, text))
        reached = stop
    return filled


def _lines(tiers: Sequence[tuple[str, Intervals]], end: int) -> Iterator[str]:
    yield from ('File type = "ooTextFile"', 'Object class = "TextGrid"', "")
    yield from ("xmin = 0", f"xmax = {_seconds(end)}", "tiers? <exists>", f"size = {len(tiers)}", "item []:")
    for place, (name, intervals) in enumerate(tiers, start=1):
        yield f"    item [{place}]:"
        yield from ('        class = "IntervalTier"', f"        name = {_quoted(name)}")
        yield from ("        xmin = 0", f"        xmax = {_seconds(end)}")
        yield f"        intervals: size = {len(intervals)}"
        for number, (start, stop, text) in enumerate(intervals, start=1):
            yield f"        intervals [{number}]:"
            yield f"            xmin = {_seconds(start)}"
            yield f"            xmax = {_seconds(stop)}"
            yield f"            text = {_quoted(text)}"


def _seconds(ticks: int) -> str:
    whole, rest = divmod(ticks, _TICKS)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
