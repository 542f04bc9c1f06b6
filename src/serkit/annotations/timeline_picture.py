"""Pictures of timelines: waveform, speech, probabilities and segments of each channel over one time axis.

Equal timelines give equal bytes. If a channel has more than :data:`COLUMNS` windows or segments, the picture shows mean
probabilities and the emotion that lasts longest in each column, and says so.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.timeline_layout import (
    PLAIN,
    Block,
    EmotionBands,
    bands,
    blocks,
    clock_face,
    colors_of,
    emotions_of,
    envelope,
    is_dark,
    thinned,
    tick_step,
)
from serkit.annotations.wording import channel_name, one_line
from serkit.errors import DrawingError, MissingExtraError
from serkit.types import NO_SPEECH, UNCERTAIN
from serkit.writing import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 500  # limit of probabilities and segments in a row; more could not be told apart
_WAVE_COLUMNS = 2000  # about the width of the picture in pixels
_WIDTH_IN = 12.0
_AXIS_IN = 10.8  # approximate width of the time axis
_ROWS_IN = {"waveform": 0.85, "speech": 0.12, "probability": 1.7, "emotion": 0.42}
_SMALL, _NORMAL = 8, 9  # points
_LETTER_IN = 0.066  # upper estimate of the width of a letter
_TICKS = 11
_INK, _MUTED, _WAVE, _SPEECH = "#1b1f24", "#5b6470", "#6E7B8B", "#3B4754"
_HATCH = "////"
_EDGES = 250  # limit of blocks with edges in a channel; the edges of more blocks would cover them
_LONGEST_NAME = 90  # limit of letters in a title
_METADATA: Mapping[str, Mapping[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None}}


def draw(timeline: TimelineData, path: str | os.PathLike[str]) -> Path:
    """Draw a timeline as a picture file.

    Args:
        timeline: Timeline to draw.
        path: File to write. Its ending is .png or .svg.

    Returns:
        The path.

    Raises:
        DrawingError: If the file has another ending.
        MissingExtraError: If matplotlib is not installed.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in _METADATA:
        raise DrawingError(f"cannot draw to {path.name!r}: the name must end in .png or .svg.")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("drawing a timeline", "plot") from error
    with _style(), whole_file(path) as temporary:
        figure = make_figure(timeline)
        figure.savefig(temporary, format=ending[1:], dpi=160, facecolor="white", metadata=dict(_METADATA[ending]))
    return path


def make_figure(timeline: TimelineData) -> "Figure":
    """Return the figure that :func:`draw` writes, to show in a notebook or to extend.

    Returns:
        A figure that is not registered with pyplot.
    """
    from matplotlib.figure import Figure

    rows = list(_ROWS_IN.values()) * timeline.channels
    figure = Figure(figsize=(_WIDTH_IN, sum(rows) * 1.16 + 0.3 * timeline.channels + 1.15), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.05, hspace=0.0)  # type: ignore[union-attr, call-arg]
    grid = figure.add_gridspec(len(rows), 1, height_ratios=rows)
    colors = colors_of(timeline.classes)
    top = figure.add_subplot(grid[0])
    axes = [top, *(figure.add_subplot(grid[row], sharex=top) for row in range(1, len(rows)))]
    for channel in range(timeline.channels):
        _draw_channel(axes[len(_ROWS_IN) * channel :][: len(_ROWS_IN)], timeline, channel, colors)
    _finish_times(axes[-1], timeline.duration)
    axes[-1].set_xlabel(_remark(timeline), fontsize=_SMALL, color=_MUTED)
    _add_title(figure, timeline)
    _add_legend(figure, timeline, colors)
    return figure


def _draw_channel(axes: Sequence["Axes"], timeline: TimelineData, channel: int, colors: Mapping[str, str]) -> None:
    wave, speech, shares, named = axes
    for one, name in zip(axes, _ROWS_IN, strict=True):
        one.set_ylabel(name, rotation=0, ha="right", va="center", color=_MUTED)
        one.yaxis.set_label_coords(-0.04, 0.5)  # left of the percentages of the probabilities
        one.set_yticks([])
        one.spines[["top", "right", "left", "bottom"]].set_visible(False)
        one.tick_params(axis="x", length=0, labelbottom=False)
    if timeline.channels > 1:
        wave.set_title(channel_name(channel), loc="left", fontsize=_NORMAL, fontweight="bold")
    _draw_wave(wave, timeline, channel)
    stretches = [(s.start, s.end - s.start) for s in timeline.speech if s.channel == channel]
    speech.broken_barh(stretches, (0, 1), facecolor=_SPEECH, linewidth=0)
    speech.set_ylim(-0.3, 1.3)
    shown = thinned(bands(timeline, channel), COLUMNS, timeline.duration)
    if len(shown.starts):
        _draw_bands(shares, shown, timeline.classes, colors)
    else:
        shares.text(
            0.5, 0.5, NO_SPEECH, transform=shares.transAxes, ha="center", va="center", color=_MUTED, fontsize=11
        )
    _draw_blocks(named, blocks(timeline, channel, COLUMNS), timeline, colors)


def _draw_wave(axes: "Axes", timeline: TimelineData, channel: int) -> None:
    heights, seconds = envelope(timeline.peaks[channel], _WAVE_COLUMNS)
    times = np.minimum((np.arange(len(heights)) + 0.5) * seconds, timeline.duration)
    axes.fill_between(times, -heights, heights, color=_WAVE, linewidth=0.3)
    reach = max(float(heights.max(initial=0.0)), 0.05)  # keeps the noise of a quiet recording small
    axes.set_ylim(-1.05 * reach, 1.05 * reach)


def _draw_bands(axes: "Axes", shown: EmotionBands, classes: Sequence[str], colors: Mapping[str, str]) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"], fontsize=_SMALL - 1, color=_MUTED)
    axes.tick_params(axis="y", length=0, pad=3)
    # Each window is a step from its start to its end. A NaN between two windows leaves a gap.
    gaps = np.where(np.append(shown.starts[1:] > shown.ends[:-1] + 1e-6, True))[0]
    times = np.insert(np.stack([shown.starts, shown.ends], axis=1).ravel(), 2 * gaps + 2, shown.ends[gaps])
    tops = np.cumsum(np.repeat(shown.shares, 2, axis=0), axis=1)
    tops = np.insert(tops, 2 * gaps + 2, np.nan, axis=0)
    low = np.where(np.isnan(tops[:, 0]), np.nan, 0.0)
    for place, name in enumerate(classes):
        axes.fill_between(times, low, tops[:, place], color=colors[name], linewidth=0)
        low = tops[:, place]


def _draw_blocks(axes: "Axes", shown: Sequence[Block], timeline: TimelineData, colors: Mapping[str, str]) -> None:
    axes.set_ylim(0, 1)
    edge: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.6 if len(shown) <= _EDGES else 0}
    for name in emotions_of(timeline):
        own = [(block.start, block.end - block.start) for block in shown if block.emotion == name]
        if own and name == UNCERTAIN:
            axes.broken_barh(own, (0, 1), facecolor=PLAIN, linewidth=0)
            axes.broken_barh(own, (0, 1), facecolor="none", hatch=_HATCH, edgecolor=_MUTED, linewidth=0)
        elif own:
            axes.broken_barh(own, (0, 1), facecolor=colors.get(name, PLAIN), **edge)
    inches = _AXIS_IN / max(timeline.duration, 1e-9)
    for block in shown:
        name = one_line(block.emotion)
        if (block.end - block.start) * inches > _LETTER_IN * len(name) + 0.08:
            color = colors.get(block.emotion, PLAIN)
            ink = "white" if is_dark(color) else _INK
            box = {"facecolor": PLAIN, "linewidth": 0, "pad": 1.5} if block.emotion == UNCERTAIN else None
            middle = (block.start + block.end) / 2
            axes.text(middle, 0.48, name, ha="center", va="center", fontsize=_SMALL, color=ink, bbox=box)


def _finish_times(axes: "Axes", duration: float) -> None:
    step = tick_step(duration, _TICKS)
    ticks = np.arange(0, duration + step / 1000, step)
    decimals = 0 if step >= 1 else 1
    axes.set_xlim(0, max(duration, 1e-3))
    axes.set_xticks(ticks, [clock_face(tick, decimals=decimals) for tick in ticks])
    axes.tick_params(axis="x", length=3, labelbottom=True, labelsize=_SMALL, color=_MUTED, labelcolor=_INK)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(_MUTED)


def _remark(timeline: TimelineData) -> str:
    """Return a note on reduced probabilities and segments, or an empty string."""
    mean, longest = (
        max(sum(one.channel == channel for one in stretches) for channel in range(timeline.channels)) > COLUMNS
        for stretches in (timeline.windows, timeline.segments)
    )
    what = ["the mean probabilities"] * mean + ["the emotion that lasts longest"] * longest
    return f"Each column of {timeline.duration / COLUMNS:.2g} s shows {' and '.join(what)}." if what else ""


def _add_title(figure: "Figure", timeline: TimelineData) -> None:
    name = one_line(timeline.name) or "recording"
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME // 2]}…{name[-_LONGEST_NAME // 2 :]}"
    by = f", recognized by {one_line(timeline.model)}" if timeline.model else ""
    figure.suptitle(f"{short}{by}", x=0.008, ha="left", fontsize=_NORMAL + 1)


def _add_legend(figure: "Figure", timeline: TimelineData, colors: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=color, label=one_line(name)) for name, color in colors.items()]
    if any(segment.emotion == UNCERTAIN for segment in timeline.segments):
        handles.append(Patch(facecolor=PLAIN, edgecolor=_MUTED, linewidth=0, hatch=_HATCH, label=UNCERTAIN))
    if not handles:
        return
    widest_in = max(len(str(handle.get_label())) for handle in handles) * _LETTER_IN + 0.55
    columns = max(1, min(len(handles), int(_AXIS_IN / widest_in)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=_NORMAL)


@contextmanager
def _style() -> Iterator[None]:
    """Set matplotlib's options for reproducible and legible files inside the ``with`` block."""
    from matplotlib import rc_context

    settings: Any = {
        "font.size": _NORMAL, "text.color": _INK, "hatch.linewidth": 0.7, "svg.hashsalt": "serkit",
        "text.parse_math": False,  # a file name may contain $x$
    }  # fmt: skip
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the font may lack the script of the file name
        yield
