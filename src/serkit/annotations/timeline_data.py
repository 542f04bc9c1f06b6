"""TimelineData: the fields of a timeline, which every writer takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serkit.types import FloatArray, Gap, Segment, Speech, Window

PEAK_SECONDS = 0.02  # seconds of audio that one peak stands for


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineData:
    """Emotions over time in a recording. Users get a :class:`serkit.Timeline`, which has the same fields and can write.

    Two timelines are equal if all their fields but ``peaks`` are.

    Attributes:
        windows: Answers for windows, ordered by channel, then by start.
        segments: Consecutive windows with the same emotion, merged; ordered by channel, then by start.
        speech: Stretches of speech, ordered by channel, then by start. The whole recording where speech detection was
            off.
        duration: Duration of the recording in seconds.
        sampling_rate: Sampling rate of the recording in Hz.
        channels: Number of channels; 1 where they were mixed.
        classes: Classes of the model, in the order of its outputs.
        settings: Window, hop, smoothing and other settings that the timeline was made with.
        peaks: Loudest absolute sample of each :data:`PEAK_SECONDS`, for pictures, shape (channels, n).
        name: Name of the file; empty for an array.
        model: Name of the model.
        remarks: Names of remarks on the recording; see :data:`serkit.types.REMARKS`.
        gaps: Stretches of the recording without audio.
    """

    windows: tuple[Window, ...]
    segments: tuple[Segment, ...]
    speech: tuple[Speech, ...]
    duration: float
    sampling_rate: int
    channels: int
    classes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    peaks: FloatArray = field(repr=False, compare=False)
    name: str = ""
    model: str = ""
    remarks: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
