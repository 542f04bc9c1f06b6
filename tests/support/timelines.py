"""Timelines made by hand, and random ones for hypothesis."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from serkit.annotations.timeline import Timeline
from serkit.annotations.timeline_data import PEAK_SECONDS
from serkit.types import UNCERTAIN, Segment, Speech, Window

CLASSES = ("anger", "happiness", "sadness")
AWKWARD = 'a "b"\tc\nd\r\n<e> & --> \x00\x0b\u2028 é 日本 \udcff $x$ </script><!--.wav'


def shares(first: str, probability: float = 0.6) -> dict[str, float]:
    """Return probabilities of the three classes in which one is the most probable."""
    rest = [name for name in CLASSES if name != first]
    return {first: probability, **dict.fromkeys(rest, round((1 - probability) / 2, 6))}


def segment(start: float, end: float, emotion: str = "anger", *, channel: int = 0) -> Segment:
    first = "happiness" if emotion not in CLASSES else emotion
    probability = 0.41 if emotion == UNCERTAIN else 0.6
    return Segment(start=start, end=end, emotion=emotion, probabilities=shares(first, probability), channel=channel)


def timeline(segments: Sequence[Segment] = (), *, duration: float = 10.0, channels: int = 1, **more: Any) -> Timeline:
    """Return a timeline of these segments, each from one window of its own."""
    windows = tuple(
        Window(start=s.start, end=s.end, emotion=s.emotion, probabilities=s.probabilities, channel=s.channel)
        for s in segments
    )
    facts: dict[str, Any] = {
        "windows": windows,
        "speech": tuple(Speech(start=s.start, end=s.end, channel=s.channel) for s in segments),
        "settings": {"window": 3.0, "hop": 1.0},
        "name": "call.wav",
        "model": "made",
        "classes": CLASSES,
        "peaks": np.full((channels, int(np.ceil(duration / PEAK_SECONDS))), 0.5, dtype=np.float32),
    }
    return Timeline(
        segments=tuple(segments), duration=duration, channels=channels, sampling_rate=16_000, **(facts | more)
    )


def long_timeline(seconds: int, *, channels: int = 1, window: float = 3.0, hop: float = 1.0, seed: int = 0) -> Timeline:
    """Return a timeline of speech only, whose emotion changes with nearly every window."""
    rng = np.random.default_rng(seed)
    windows, segments, speech = [], [], []
    for channel in range(channels):
        starts = np.arange(0, seconds - window + 1e-9, hop)
        found = rng.dirichlet(np.ones(len(CLASSES)), len(starts))
        emotions = [
            CLASSES[place] if row[place] > 0.5 else UNCERTAIN for row, place in zip(found, found.argmax(1), strict=True)
        ]
        speech.append(Speech(start=0.0, end=float(seconds), channel=channel))
        for start, row, emotion in zip(starts.tolist(), found.tolist(), emotions, strict=True):
            probabilities = dict(zip(CLASSES, row, strict=True))
            both: dict[str, Any] = {"emotion": emotion, "probabilities": probabilities, "channel": channel}
            windows.append(Window(start=start, end=start + window, **both))
            segments.append(Segment(start=start, end=start + hop, **both))
    return timeline(
        segments, duration=float(seconds), channels=channels, windows=tuple(windows), speech=tuple(speech)
    )  # fmt: skip


@st.composite
def timelines(draw: st.DrawFn, *, shortest: float = 0.001, whole_ms: bool = True) -> Timeline:
    """Draw a timeline: segments of one or two channels, in order and without overlap, each from one window.

    Args:
        draw: Of hypothesis.
        shortest: Seconds that a segment lasts at least.
        whole_ms: Whether times are whole milliseconds, which every format can hold.
    """
    channels = draw(st.integers(1, 2))
    found = []
    for channel in range(channels):
        reached = 0.0
        for _ in range(draw(st.integers(0, 4))):
            gap, length = draw(st.floats(0, 4e5) | st.floats(0, 0.002)), draw(st.floats(shortest, 100))
            start, end = reached + gap, reached + gap + length
            if whole_ms:
                start, end = round(start, 3), round(start, 3) + max(round(length, 3), 0.001)
            emotion = draw(st.sampled_from([*CLASSES, UNCERTAIN]))
            found.append(segment(start, end, emotion, channel=channel))
            reached = end
    longest = max((one.end for one in found), default=0.0)
    rest = draw(st.floats(0, 2) | st.just(0.0))
    peaks = np.zeros((channels, 5), dtype=np.float32)
    name = draw(st.text(max_size=20))
    return timeline(found, duration=longest + rest or 1.0, channels=channels, peaks=peaks, name=name)
