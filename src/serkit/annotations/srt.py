"""SubRip subtitles: one per segment, with the emotion and its probability.

SubRip has no standard. All players accept numbers from 1, hours of at least two digits, a comma before the
milliseconds, and an empty line after each subtitle. If there are several channels, the text names the channel.
"""

from serkit.annotations.spans import Span, clock, spans
from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import caption, channel_name, one_line
from serkit.types import Segment


def write(timeline: TimelineData) -> str:
    """Return the segments as SubRip subtitles."""
    found = enumerate(spans(timeline.segments), start=1)
    return "".join(
        f"{number}\n{clock(span.start, ',')} --> {clock(span.end, ',')}\n{_text(timeline, span)}\n\n"
        for number, span in found
    )


def _text(timeline: TimelineData, span: Span[Segment]) -> str:
    words = one_line(caption(span.stretch.emotion, span.stretch.probabilities)).replace("-->", "->")
    return words if timeline.channels == 1 else f"{channel_name(span.stretch.channel)}: {words}"
