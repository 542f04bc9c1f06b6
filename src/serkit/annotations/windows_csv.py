"""CSV with one row per window. The columns are those of :mod:`serkit.annotations.csv`."""

from serkit.annotations.csv import table
from serkit.annotations.timeline_data import TimelineData


def write(timeline: TimelineData) -> str:
    """Return the windows as CSV."""
    return table(timeline.windows, timeline.classes)
