"""Layout of a drawn timeline, shared by the picture and the page: envelope, bands, blocks, colors, times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serkit.annotations.timeline_data import PEAK_SECONDS, TimelineData
from serkit.types import UNCERTAIN, FloatArray, Segment

# The classes of most models have the colors of Okabe and Ito, Color Universal Design, 2008, which readers with any
# color vision can tell apart. The other classes have Paul Tol's muted scheme. No thirteen colors can all be told
# apart, so bands keep one order and blocks have names.
COLORS: Mapping[str, str] = {
    "anger": "#D55E00",
    "boredom": "#7F3F1F",
    "calm": "#56B4E9",
    "contempt": "#882255",
    "disgust": "#009E73",
    "excitement": "#CC6677",
    "fear": "#CC79A7",
    "frustration": "#999933",
    "happiness": "#F0E442",
    "neutral": "#CBD1D8",
    "sadness": "#0072B2",
    "surprise": "#E69F00",
    "other": "#6B7078",
}
PLAIN = "#F4F5F7"  # background of ``uncertain``, under the hatching
_SPARE = ("#332288", "#88CCEE", "#44AA99", "#117733", "#DDCC77", "#AA4499", "#661100", "#6699CC")  # for custom classes
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class EmotionBands:
    """The time that belongs to each window of a channel, with its probabilities.

    Attributes:
        starts: Start of each band in seconds, shape (N,).
        ends: End of each band in seconds, shape (N,).
        shares: Probabilities, shape (N, C).
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    shares: FloatArray


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of time that is drawn in the color of one emotion.

    Attributes:
        start: Start in seconds.
        end: End in seconds.
        emotion: Emotion of the stretch.
    """

    start: float
    end: float
    emotion: str


def colors_of(classes: Sequence[str]) -> dict[str, str]:
    """Return the color of each class. Canonical emotions have fixed colors, other classes take spare ones in turn."""
    strangers = [name for name in classes if name not in COLORS]
    spare = {name: _SPARE[place % len(_SPARE)] for place, name in enumerate(strangers)}
    return {name: COLORS.get(name) or spare[name] for name in classes}


def emotions_of(timeline: TimelineData) -> tuple[str, ...]:
    """Return the classes, followed by the other emotions of the segments, with ``uncertain`` last."""
    found = dict.fromkeys((*timeline.classes, *(segment.emotion for segment in timeline.segments)))
    others = [name for name in found if name not in timeline.classes]
    return (*timeline.classes, *sorted(others, key=lambda name: name == UNCERTAIN))


def is_dark(color: str) -> bool:
    """Return whether text on a color should be light."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140  # luma of ITU-R BT.601


def envelope(peaks: FloatArray, columns: int) -> tuple[FloatArray, float]:
    """Reduce peaks to a number of columns by taking the loudest of each group.

    Args:
        peaks: Peaks of one channel, shape (N,).
        columns: Largest number of columns.

    Returns:
        Peaks, shape (at most ``columns``,), and the seconds that each stands for.
    """
    group = max(1, -(-len(peaks) // columns))
    if not len(peaks):
        return peaks, PEAK_SECONDS
    return np.maximum.reduceat(peaks, np.arange(0, len(peaks), group)), group * PEAK_SECONDS


def bands(timeline: TimelineData, channel: int) -> EmotionBands:
    """Return the bands of a channel.

    Where two windows overlap, the border lies halfway between their centers. Elsewhere a window has all the speech that
    it covers, so the first and the last window of a stretch extend to its edges.
    """
    windows = [window for window in timeline.windows if window.channel == channel]
    begins = np.array([window.start for window in windows], dtype=np.float64)
    stops = np.array([window.end for window in windows], dtype=np.float64)
    shares = [[window.probabilities.get(name, 0.0) for name in timeline.classes] for window in windows]
    starts, ends = begins.copy(), stops.copy()
    centers = (begins + stops) / 2
    overlap = begins[1:] < stops[:-1]
    speech = np.array([(stretch.start, stretch.end) for stretch in timeline.speech if stretch.channel == channel])
    if len(speech) and windows:  # windows extend beyond the speech
        own = _nearest(centers, speech)
        overlap &= own[1:] == own[:-1]
    borders = (centers[1:] + centers[:-1]) / 2
    starts[1:][overlap] = borders[overlap]
    ends[:-1][overlap] = borders[overlap]
    if len(speech) and windows:
        starts, ends = (np.clip(edges, speech[own, 0], speech[own, 1]) for edges in (starts, ends))
    return EmotionBands(starts, ends, np.array(shares, dtype=np.float32).reshape(len(windows), len(timeline.classes)))


def _nearest(centers: NDArray[np.float64], speech: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the index of the stretch of speech (M, 2) that is nearest to each center (N,)."""
    before = np.clip(np.searchsorted(speech[:, 0], centers, "right") - 1, 0, None)
    after = np.minimum(before + 1, len(speech) - 1)
    is_nearer = speech[after, 0] - centers < np.maximum(centers - speech[before, 1], 0)
    return np.where(is_nearer & (after > before), after, before)


def thinned(whole: EmotionBands, count: int, duration: float) -> EmotionBands:
    """Reduce bands to at most ``count`` by averaging those within each of ``count`` equal parts of the duration."""
    if len(whole.starts) <= count:
        return whole
    places = np.minimum((whole.starts / duration * count).astype(np.int64), count - 1)
    firsts = np.flatnonzero(np.diff(places, prepend=-1))
    sizes = np.diff(firsts, append=len(places))
    weights = (whole.ends - whole.starts)[:, None] + 1e-9  # seconds; an empty band still counts
    sums = np.add.reduceat(whole.shares * weights, firsts, axis=0) / np.add.reduceat(weights, firsts, axis=0)
    return EmotionBands(whole.starts[firsts], whole.ends[firsts + sizes - 1], sums.astype(np.float32))


def blocks(timeline: TimelineData, channel: int, count: int) -> list[Block]:
    """Return the blocks of a channel: one for each segment.

    If there are more than ``count`` segments, the duration is divided into ``count`` equal parts, and each part has the
    emotion that lasts longest in it. Equal neighbors are merged.
    """
    segments = [segment for segment in timeline.segments if segment.channel == channel]
    if len(segments) <= count:
        return [Block(segment.start, segment.end, segment.emotion) for segment in segments]
    edges = np.linspace(0, timeline.duration, count + 1)
    names = tuple(dict.fromkeys(segment.emotion for segment in segments))
    seconds = np.stack(
        [_covered([s for s in segments if s.emotion == name], edges) for name in names]
    )  # (names, count)
    longest = np.where(seconds.max(axis=0) > 0, seconds.argmax(axis=0), -1)
    firsts = np.flatnonzero(np.diff(longest, prepend=-2))
    stops = np.append(firsts[1:], count)
    runs = zip(firsts, stops, longest[firsts], strict=True)
    return [Block(float(edges[i]), float(edges[j]), names[place]) for i, j, place in runs if place >= 0]


def _covered(segments: Sequence[Segment], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the seconds that segments without overlap cover between each two neighboring edges."""
    times = np.array([(segment.start, segment.end) for segment in segments])
    sums = np.cumsum(times[:, 1] - times[:, 0])
    until = np.stack([sums - (times[:, 1] - times[:, 0]), sums], axis=1).ravel()  # seconds covered up to each edge
    return np.diff(np.interp(edges, times.ravel(), until))


def tick_step(duration: float, most: int) -> float:
    """Return a round number of seconds between ticks, so that a duration has at most ``most`` steps."""
    fitting = [step for step in _STEPS if duration / step <= most]
    return float(fitting[0]) if fitting else float(_STEPS[-1] * -(-duration // (_STEPS[-1] * most)))


def clock_face(seconds: float, *, decimals: int = 0) -> str:
    """Return a time for people: minutes and seconds, with hours where needed.

    Args:
        seconds: Time in seconds.
        decimals: Number of decimals of the seconds.

    Example:
        >>> clock_face(65.25), clock_face(65.25, decimals=1), clock_face(3723)
        ('1:05', '1:05.2', '1:02:03')
    """
    ticks = round(seconds * 10**decimals)
    whole, rest = divmod(ticks, 10**decimals)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    face = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{face}.{rest:0{decimals}}" if decimals else face
