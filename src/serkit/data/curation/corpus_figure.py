"""Draws corpora in one figure: class balance, loudness and pitch by emotion, clips per speaker, durations.

The colors are those of Okabe and Ito, which readers with any kind of color vision can tell apart. The sexes also differ
in marks or shades, so the figure can be printed in black and white.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serkit.data.corpora import corpus_names, get_corpus
from serkit.data.curation.stats import CorpusStats, Group
from serkit.errors import DrawingError, MissingExtraError
from serkit.types import Sex
from serkit.visible_text import visible
from serkit.writing import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")
# Okabe and Ito, Color Universal Design, 2008; two of its colors are reserved for the sexes.
_CORPUS_COLORS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#F0E442")
_HATCHES = ("", "////", "....", "xxxx")  # from the seventh corpus on
_LINES = ("-", "--", ":", "-.")
_SEXES: tuple[Sex, ...] = ("female", "male", "unknown")
_SEX_COLORS: Mapping[Sex, str] = {"female": "#CC79A7", "male": "#3B3B3B", "unknown": "#BBBBBB"}
_SEX_NAMES: Mapping[Sex, str] = {"female": "female speaker", "male": "male speaker", "unknown": "sex not known"}
_SEX_MARKS: Mapping[Sex, str] = {"female": "o", "male": "s", "unknown": "^"}
_GRID = "#E4E4E4"
_BAND = "#F6F6F6"
_BINS = 25
_BOXES = "box: quartiles, whiskers: 5 to 95 %"
_SMALL, _NORMAL = 8, 9  # points
_WIDTH_IN = 11.0
_LINE_IN = 0.18  # height of a label
_SPEAKERS_IN = 6.8  # width of the speakers' panel
_SPARSE = 10.0  # ratio of most to fewest clips per speaker above which the axis is logarithmic
_METADATA: Mapping[str, Mapping[str, Any]] = {
    ".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}
}  # fmt: skip


_SHORT_S = 360.0  # seconds: 0.1 h


def check_picture(path: str | os.PathLike[str]) -> Path:
    """Check that a figure can be drawn to a path, before corpora are measured for minutes.

    Returns:
        The path.

    Raises:
        DrawingError: If the suffix is none of .png, .svg, .pdf.
        MissingExtraError: If matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise DrawingError(f"cannot draw to {path.name!r}: the name must end in .png, .svg or .pdf.")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("drawing", "plot") from error
    return path


def draw(stats: CorpusStats, path: str | os.PathLike[str]) -> Path:
    """Draw the measurements of corpora into a file, with the same bytes for the same measurements.

    Five panels: each emotion's share of its corpus; loudness by emotion and corpus; f0 by emotion and sex over all
    corpora; clips per speaker; durations. Boxes span the quartiles, whiskers the 5th to the 95th percentile.

    Args:
        stats: Measurements from :func:`serkit.data.curation.stats.describe`.
        path: File to write: ``.png``, ``.svg`` or ``.pdf``.

    Returns:
        The path.

    Raises:
        DrawingError: If the suffix is another one, or no clip could be read.
        MissingExtraError: If matplotlib is not installed.
    """
    path = check_picture(path)
    if not stats.clips:
        raise DrawingError("there is nothing to draw: no clip could be read.")
    from matplotlib import rc_context

    ending = path.suffix.lower()
    # A fixed salt makes SVG files reproducible; type 42 keeps text in a PDF text, which journals ask for.
    style = rc_context({"svg.hashsalt": "serkit", "pdf.fonttype": 42, "hatch.linewidth": 0.6, "text.parse_math": False})
    with style, whole_file(path) as temporary:
        make_figure(stats).savefig(temporary, format=ending[1:], dpi=200, metadata=dict(_METADATA[ending]))
    return path


def make_figure(stats: CorpusStats) -> "Figure":
    """Return the figure that :func:`draw` writes, for a notebook or for changes.

    Args:
        stats: Measurements of at least one clip.

    Returns:
        Figure that is not registered with pyplot.
    """
    from matplotlib.figure import Figure

    bars = len(stats.emotions) * (len(stats.corpora) + 1)
    upper = min(max(2.6, 0.13 * bars + 0.9, 0.3 * len(stats.emotions) + 0.9), 14.0)
    lower = 2.7
    figure = Figure(figsize=(_WIDTH_IN, upper + lower + 0.5), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=(upper, lower))
    rows = grid[0].subgridspec(1, 3)
    balance = figure.add_subplot(rows[0])
    level = figure.add_subplot(rows[1], sharey=balance)
    pitch = figure.add_subplot(rows[2], sharey=balance)
    rows = grid[1].subgridspec(1, 3)
    _draw_balance(balance, stats)
    _draw_loudness(level, stats)
    _draw_pitch(pitch, stats)
    _draw_speakers(figure.add_subplot(rows[:2]), stats)
    _draw_durations(figure.add_subplot(rows[2]), stats)
    for axes in (balance, level, pitch):
        axes.tick_params(axis="y", length=0, labelleft=axes is balance)
        for row in range(0, len(stats.emotions), 2):
            axes.axhspan(row - 0.5, row + 0.5, color=_BAND, zorder=-1)
    _add_legend(figure, stats)
    return figure


def _draw_balance(axes: "Axes", stats: CorpusStats) -> None:
    groups = stats.by("corpus")
    for rank, group in enumerate(groups):
        counts = [group.emotions.get(emotion, 0) for emotion in stats.emotions]
        shares = [100 * count / max(group.clips, 1) for count in counts]
        height, places = _places(len(stats.emotions), len(groups), rank)
        bars = axes.barh(places, shares, 0.9 * height, **_fill(rank))
        if len(groups) == 1:  # counts of several corpora find no room; the tables have them
            axes.bar_label(bars, [str(count) for count in counts], padding=2, fontsize=_SMALL)
            axes.margins(x=0.15)
    axes.set_yticks(range(len(stats.emotions)), stats.emotions)
    axes.set_ylim(len(stats.emotions) - 0.5, -0.5)  # the first emotion at the top
    _finish(axes, "Class balance", x="share of the corpus's clips, %")


def _draw_loudness(axes: "Axes", stats: CorpusStats) -> None:
    for rank, corpus in enumerate(stats.corpora):
        own = [clip for clip in stats.clips if clip.corpus == corpus]
        values = [[c.loudness for c in own if c.emotion == name and c.loudness is not None] for name in stats.emotions]
        height, places = _places(len(stats.emotions), len(stats.corpora), rank)
        _draw_boxes(axes, values, places, height, **_fill(rank))
    _finish(axes, "Loudness", x=f"integrated loudness, LUFS\n{_BOXES}")


def _draw_pitch(axes: "Axes", stats: CorpusStats) -> None:
    sexes = [sex for sex in _SEXES if any(clip.sex == sex and clip.pitch for clip in stats.clips)]
    for rank, sex in enumerate(sexes):
        own = [clip for clip in stats.clips if clip.sex == sex]
        values = [[c.pitch for c in own if c.emotion == name and c.pitch is not None] for name in stats.emotions]
        height, places = _places(len(stats.emotions), len(sexes), rank)
        _draw_boxes(axes, values, places, height, facecolor=_SEX_COLORS[sex])
    axes.set_xscale("log", base=2)  # equal steps are equal intervals
    shown = (75, 100, 150, 200, 300, 400)
    axes.set_xticks(shown, [str(value) for value in shown])
    axes.set_xticks([], minor=True)
    title = "Pitch" if len(stats.corpora) == 1 else "Pitch, all corpora"
    _finish(axes, title, x=f"median f0 of a clip, Hz\n{_BOXES}")


def _draw_speakers(axes: "Axes", stats: CorpusStats) -> None:
    speakers = stats.by("speaker")
    rows: dict[str, list[Group]] = {}
    for group in sorted(speakers, key=lambda group: (_SEXES.index(_sex(group)), -group.clips)):
        rows.setdefault(group.corpus, []).append(group)
    rows = {corpus: rows[corpus] for corpus in stats.corpora if corpus in rows}
    labels = [f"{_title(corpus)}\n{len(row)}" for corpus, row in rows.items()]
    is_crowded = not _fits(labels)
    if is_crowded:
        labels = [label.replace("\n", ", ") for label in labels]
    slots = _slots([len(row) for row in rows.values()], [_LINE_IN if is_crowded else _label_in(n) for n in labels])
    starts = np.concatenate([[0.0], np.cumsum(slots)])
    centers = (starts[:-1] + starts[1:]) / 2
    places = {
        (group.corpus, group.name): center + n - (len(row) - 1) / 2
        for center, row in zip(centers, rows.values(), strict=True)
        for n, group in enumerate(row)
    }
    for sex in _SEXES:
        own = [group for group in speakers if _sex(group) == sex]
        xs, ys = [places[group.corpus, group.name] for group in own], [group.clips for group in own]
        axes.scatter(xs, ys, 26 if starts[-1] <= 60 else 13, _SEX_COLORS[sex], marker=_SEX_MARKS[sex], linewidths=0)
    names = [visible(name.removeprefix(f"{corpus}/")) for corpus, name in places]
    if len(stats.corpora) == 1 and _fits(names):
        axes.set_xticks(list(places.values()), names)
    else:
        axes.set_xticks(centers, labels, rotation=90 if is_crowded else 0)
    for edge in starts[1:-1]:
        axes.axvline(edge, color=_GRID, linewidth=1)
    axes.set_xlim(0, starts[-1])
    _scale_counts(axes, [group.clips for group in speakers])
    _finish(axes, "Clips per speaker", y="clips")
    axes.tick_params(axis="x", length=0)


def _sex(speaker: Group) -> Sex:
    return min(speaker.speakers, key=_SEXES.index)


def _slots(sizes: Sequence[int], labels_in: Sequence[float]) -> list[float]:
    """Return each corpus's width in places: one per speaker and a margin, or more where its label needs it."""
    air = max(1.0, sum(sizes) / 40)
    slots = [size + air for size in sizes]
    for _ in range(50):  # a wider slot makes the row longer, so every label needs more places
        row = sum(slots)
        slots = [max(size + air, row * label / _SPEAKERS_IN) for size, label in zip(sizes, labels_in, strict=True)]
    return slots


def _fits(labels: Sequence[str]) -> bool:
    return sum(map(_label_in, labels)) < 0.9 * _SPEAKERS_IN


def _label_in(label: str) -> float:
    """Return an upper estimate of a label's width in inches."""
    return 0.08 * max(map(len, label.splitlines())) + 0.08


def _scale_counts(axes: "Axes", counts: Sequence[int]) -> None:
    if max(counts) > _SPARSE * min(counts):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:.0f}")
    else:
        axes.set_ylim(0, 1.1 * max(counts))


def _draw_durations(axes: "Axes", stats: CorpusStats) -> None:
    durations = np.array([clip.duration for clip in stats.clips])
    longest = float(np.percentile(durations, 99.5))
    shortest = min(float(durations.min()), longest - 0.1)
    edges = [float(edge) for edge in np.linspace(shortest, longest, _BINS + 1)]
    for rank, corpus in enumerate(stats.corpora):
        own = np.array([clip.duration for clip in stats.clips if clip.corpus == corpus])
        if len(own):
            weights = np.full(len(own), 100 / len(own))
            turn, color = divmod(rank, len(_CORPUS_COLORS))
            style: dict[str, Any] = {
                "color": _CORPUS_COLORS[color],
                "linestyle": _LINES[turn % len(_LINES)],
                "linewidth": 1.5,
            }
            axes.hist(own, edges, weights=weights, histtype="step", **style)
    beyond = int((durations > longest).sum())
    note = f" ({beyond} longer not shown)" if beyond else ""
    _finish(axes, "Duration", x=f"duration, s{note}", y="share of the corpus's clips, %")


def _draw_boxes(
    axes: "Axes", values: Sequence[Sequence[float]], places: Sequence[float], height: float, **fill: Any
) -> None:
    shown = [(place, own) for place, own in zip(places, values, strict=True) if own]
    if not shown:
        return
    line = {"color": "#222222", "linewidth": 0.8}
    axes.boxplot(
        [own for _, own in shown],
        positions=[place for place, _ in shown],
        widths=0.75 * height,
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={**fill, "edgecolor": "#222222", "linewidth": 0.6},
        medianprops={"color": "white" if _is_dark(fill["facecolor"]) else "black", "linewidth": 1.6},
        whiskerprops=line,
        capprops=line,
    )
    single = [(own[0], place) for place, own in shown if min(own) == max(own)]  # their boxes have no width
    if single:
        marks = {"markerfacecolor": fill["facecolor"], "markeredgecolor": "#222222", "markeredgewidth": 0.6}
        axes.plot(*zip(*single, strict=True), linestyle="", marker="o", markersize=4, zorder=3, **marks)


def _add_legend(figure: "Figure", stats: CorpusStats) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for rank, group in enumerate(stats.by("corpus")):
        speakers = sum(group.speakers.values())
        text = f"{_title(group.corpus)} ({_count(group.clips, 'clip')}, {_count(speakers, 'speaker')}, "
        long = f"{group.seconds / 3600:.1f} h" if group.seconds >= _SHORT_S else f"{group.seconds / 60:.0f} min"
        handles.append(Patch(label=f"{text}{long})", **_fill(rank)))
    for sex in _SEXES:
        if any(clip.sex == sex for clip in stats.clips):
            handles.append(
                Line2D([], [], linestyle="", marker=_SEX_MARKS[sex], color=_SEX_COLORS[sex], label=_SEX_NAMES[sex])
            )
    widest_in = max(_label_in(handle.get_label()) for handle in handles) + 0.6  # for the patch and the gap
    columns = max(1, min(4, int(_WIDTH_IN / widest_in)))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False, fontsize=_NORMAL)


def _finish(axes: "Axes", title: str, *, x: str = "", y: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=_NORMAL + 1, fontweight="bold")
    axes.set_xlabel(x, fontsize=_NORMAL)
    axes.set_ylabel(y, fontsize=_NORMAL)
    axes.tick_params(labelsize=_SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if x and not y else "y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _places(rows: int, parts: int, rank: int) -> tuple[float, list[float]]:
    """Return the height of one of ``parts`` marks that share a row, and the positions of the marks of one rank."""
    height = 0.8 / max(parts, 1)
    return height, [row - 0.4 + (rank + 0.5) * height for row in range(rows)]


def _fill(rank: int) -> dict[str, Any]:
    turn, color = divmod(rank, len(_CORPUS_COLORS))
    return {"facecolor": _CORPUS_COLORS[color], "hatch": _HATCHES[turn % len(_HATCHES)]}


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _is_dark(color: str) -> bool:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140  # luma of ITU-R BT.601


def _title(corpus: str) -> str:
    return get_corpus(corpus).title if corpus in corpus_names() else corpus
