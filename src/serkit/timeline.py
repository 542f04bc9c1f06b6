"""Emotions over time: what a model says of a recording, as a timeline that can be written and drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serkit.types import FloatArray, Segment, Speech, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a model says of a recording, window by window.

    Attributes:
        windows: By channel, then by start.
        segments: Likewise: windows in a row that say the same, merged.
        speech: Likewise: where somebody speaks; the whole recording where nobody looked.
        duration: Seconds.
        sampling_rate: Of the recording in Hz.
        channels: How many were listened to; 1 where they were mixed.
        classes: Those of the model, in the order of its outputs.
        settings: Window, hop, smoothing, and whatever else the timeline was made with.
        peaks: The loudest absolute sample of each stretch of :data:`PEAK_SECONDS`, shape (channels, n), for pictures.
        name: Of the file; empty for an array.
        model: Name of the model.
    """

    windows: tuple[Window, ...]
    segments: tuple[Segment, ...]
    speech: tuple[Speech, ...]
    duration: float
    sampling_rate: int
    channels: int
    classes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    peaks: FloatArray = field(repr=False, compare=False)
    name: str = ""
    model: str = ""


PEAK_SECONDS = 0.02
