"""WebVTT subtitles: one per segment, with the emotion and its probability.

If there are several channels, the channel is the voice.

Source:
    W3C, WebVTT: The Web Video Text Tracks Format: https://www.w3.org/TR/webvtt1/
"""

from serkit.annotations.spans import Span, clock, spans
from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import caption, channel_name, one_line
from serkit.types import Segment


def write(timeline: TimelineData) -> str:
    """Return the segments as WebVTT."""
    blocks = [f"{_times(span)}\n{_text(timeline, span)}" for span in spans(timeline.segments)]
    return "\n\n".join(["WEBVTT", *_note(timeline), *blocks]) + "\n"


def _note(timeline: TimelineData) -> list[str]:
    said = [f"Emotions in {_escaped(timeline.name)}"] if timeline.name else []
    said += [f"Recognized by {_escaped(timeline.model)}"] if timeline.model else []
    return ["\n".join(["NOTE", *said])] if said else []


def _times(span: Span[Segment]) -> str:
    return f"{clock(span.start, '.')} --> {clock(span.end, '.')}"


def _text(timeline: TimelineData, span: Span[Segment]) -> str:
    words = _escaped(caption(span.stretch.emotion, span.stretch.probabilities))
    return words if timeline.channels == 1 else f"<v {channel_name(span.stretch.channel)}>{words}"


def _escaped(text: str) -> str:
    """Return text with markup escaped, which also covers the arrow between times."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
