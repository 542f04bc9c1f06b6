"""RTTM for diarization tools: emotions stand in place of speakers. Channels count from 1.

Source:
    NIST, The 2009 Rich Transcription Meeting Recognition Evaluation Plan, appendix A.
"""

from pathlib import PurePath

from serkit.annotations.spans import MILLISECONDS, spans
from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import one_line

_NAMELESS = "audio"  # file name for an array


def write(timeline: TimelineData) -> str:
    """Return the segments as SPEAKER lines."""
    file = _word(PurePath(timeline.name).stem) or _NAMELESS
    return "".join(
        f"SPEAKER {file} {span.stretch.channel + 1} {_seconds(span.start)} {_seconds(span.end - span.start)} "
        f"<NA> <NA> {_word(span.stretch.emotion) or '<NA>'} <NA> <NA>\n"
        for span in spans(timeline.segments)
    )


def _seconds(milliseconds: int) -> str:
    whole, rest = divmod(milliseconds, MILLISECONDS)
    return f"{whole}.{rest:03}"


def _word(text: str) -> str:
    """Return text without spaces, since spaces separate the fields of a line."""
    return one_line(text).replace(" ", "_")
