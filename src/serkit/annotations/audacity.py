"""Label track for Audacity: start, end and label, separated by tabs. Times are seconds with 6 decimals.

If there are several channels, each label names its channel. Audacity shows overlapping labels below each other.

Source:
    Audacity's manual, "Importing and Exporting Labels": https://manual.audacityteam.org/man/importing_and_exporting_labels.html
"""

from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import channel_name, one_line
from serkit.types import Segment


def write(timeline: TimelineData) -> str:
    """Return the segments as a label track."""
    ordered = sorted(timeline.segments, key=lambda segment: (segment.start, segment.channel))
    return "".join(f"{s.start:.6f}\t{max(s.start, s.end):.6f}\t{_label(timeline, s)}\n" for s in ordered)


def _label(timeline: TimelineData, segment: Segment) -> str:
    name = one_line(segment.emotion)
    return name if timeline.channels == 1 else f"{name} ({channel_name(segment.channel)})"
