"""CSV: one row per segment, with the mean probability of each class.

The columns are start, end, channel (from 0), emotion, then the classes in the model's order. Times are in seconds. A
name that a spreadsheet would run as a formula has an apostrophe before it, see :mod:`serkit.spreadsheet_cells`.
"""

import csv
import io
from collections.abc import Sequence

from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import storable
from serkit.spreadsheet_cells import guarded
from serkit.types import Segment, Window


def write(timeline: TimelineData) -> str:
    """Return the segments as CSV."""
    return table(timeline.segments, timeline.classes)


def table(stretches: Sequence[Segment | Window], classes: Sequence[str]) -> str:
    """Return segments or windows as CSV, one a row, with the probabilities of the given classes."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["start", "end", "channel", "emotion", *map(guarded, classes)])
    for one in stretches:
        shares = (one.probabilities.get(name) for name in classes)
        cells = ("" if share is None else f"{share:.6f}" for share in shares)
        writer.writerow([f"{one.start:.3f}", f"{one.end:.3f}", one.channel, guarded(one.emotion), *cells])
    return storable(file.getvalue())
