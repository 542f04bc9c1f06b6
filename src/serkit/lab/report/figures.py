"""The figures of a report: confusion matrices, training curves, speakers and folds, reliability, risk and coverage."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from serkit.lab.measure.calibration import ERROR_RATE, MIN_COVERAGE
from serkit.lab.pages.drawing import NORMAL, NOTHING, PALETTE, SMALL, WIDTH_IN, Maker, finish, new_figure
from serkit.lab.report.breakdown import GroupScore, error_curve, mean_confusion, per_group, reliability
from serkit.lab.report.run_contents import History, RunContents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Measure = Literal["loss", "accuracy", "uar"]
_MEASURES: tuple[Measure, ...] = ("loss", "accuracy", "uar")
_AXES = {"loss": "loss", "accuracy": "accuracy, %", "uar": "UAR, %"}
_SIDES = {"train": "second", "validation": "first"}  # color of each side of the split
_SIDE_NAMES = {"train": "training", "validation": "validation"}
FEW = 10  # a bar with fewer predictions is drawn pale
_LANES = 5  # rows of dots in a strip, so that dots with similar values do not cover each other


def figures_of(run: RunContents) -> dict[str, Maker]:
    """Return a function that draws each figure of a run, by the name of the figure's file."""
    answers = run.answers
    matrix = mean_confusion(answers)
    found: dict[str, Maker] = {
        "confusion_shares": lambda: draw_confusion(matrix, answers.classes, is_share=True),
        "confusion_counts": lambda: draw_confusion(matrix, answers.classes, is_share=False),
    }
    for measure in drawn_measures(run.histories):
        found[f"curves_{measure}"] = lambda measure=measure: draw_curves(run.histories, measure)  # type: ignore[misc]
    found["speakers"] = lambda: draw_strips(run)
    found["reliability"] = lambda: draw_reliability(run)
    found["risk_coverage"] = lambda: draw_risk_coverage(run)
    return found


def drawn_measures(histories: Sequence[History]) -> list[Measure]:
    """Return the metrics that have training curves; none if every fit has a single epoch."""
    return [measure for measure in _MEASURES if _curves(histories, measure)]


def draw_confusion(matrix: NDArray[np.float64], classes: Sequence[str], *, is_share: bool) -> "Figure":
    """Draw a confusion matrix.

    Args:
        matrix: Counts, shape (C, C); rows are the reference.
        classes: Class names, in order.
        is_share: Whether a cell shows the percentage of its row, or the count.
    """
    from matplotlib.patches import Rectangle

    size, totals = len(classes), matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
    figure = new_figure(min(WIDTH_IN, 1.3 + 0.42 * size))
    axes = figure.add_subplot()
    for row in range(size):
        for column in range(size):
            share = float(shares[row, column])
            color = PALETTE["right" if row == column else "wrong"]
            alpha = 0.9 * share if row == column else 0.9 * share**0.6  # makes rare errors visible
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=color, alpha=alpha, linewidth=0))
            text = (f"{100 * share:.0f}" if totals[row, 0] else NOTHING) if is_share else _count(matrix[row, column])
            is_nothing = not matrix[row, column]
            weight = "bold" if row == column else "normal"
            axes.text(
                column, row, text, ha="center", va="center", fontsize=NORMAL if size <= 9 else SMALL - 1,
                color=PALETTE["muted" if is_nothing else "ink"], fontweight=weight,
            )  # fmt: skip
    _name_cells(axes, classes)
    return figure


def draw_curves(histories: Sequence[History], measure: Measure) -> "Figure":
    """Draw training and validation curves: a thin line for each fit, their mean, and a dot at each kept epoch.

    Args:
        histories: Histories of the fits; fits with a single epoch are left out.
        measure: Metric to draw.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(2.9)
    axes = figure.add_subplot()
    curves = _curves(histories, measure)
    for side, color in _SIDES.items():
        own = [(history, values) for name, history, values in curves if name == side]
        if not own:
            continue
        style: dict[str, Any] = {"color": PALETTE[color]}
        for history, values in own:
            epochs = np.arange(1, len(values) + 1)
            axes.plot(epochs, values, linewidth=0.7, alpha=0.4, **style)
            if history.kept is not None and history.kept < len(values):
                kept = history.kept
                axes.plot(epochs[kept], values[kept], "o", markersize=3.5, markeredgewidth=0, clip_on=False, **style)
        mean = _mean([values for _, values in own])
        dashes = "-" if side == "validation" else "--"
        axes.plot(np.arange(1, len(mean) + 1), mean, dashes, linewidth=2.2, label=_SIDE_NAMES[side], **style)
    axes.plot([], [], "o", color=PALETTE["muted"], markersize=3.5, label="kept epoch")
    finish(axes, x="epoch", y=_AXES[measure])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.margins(x=0.02)
    if measure == "loss":
        axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return figure


def draw_strips(run: RunContents) -> "Figure":
    """Draw UAR of each speaker and fold as dots on one axis, over the pooled UAR and its interval."""
    numbers = run.numbers
    corpora = list(numbers["per_corpus"])
    speakers = per_group(run.answers, "speaker")
    strips = [
        (f"speakers,\n{corpus}" if len(corpora) > 1 else "speakers", [s for s in speakers if s.corpus == corpus])
        for corpus in corpora
    ]
    if len(folds := per_group(run.answers, "fold")) > 1:
        strips.append(("folds", folds))
    figure = new_figure(0.8 + 0.62 * len(strips))
    axes = figure.add_subplot()
    axes.axvspan(numbers["uar_low"], numbers["uar_high"], color=PALETTE["right"], alpha=0.35, linewidth=0)
    axes.axvline(numbers["uar"], color=PALETTE["first"], linewidth=1.5)
    for row, (_, groups) in enumerate(strips):
        _draw_strip(axes, row, groups)
    axes.set_yticks(range(len(strips)), [name for name, _ in strips])
    axes.set_ylim(len(strips) - 0.5, -0.6)
    axes.set_xlim(0, 103)
    finish(axes, x="UAR, %", y="", grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure


def draw_reliability(run: RunContents) -> "Figure":
    """Draw a reliability diagram over a histogram of confidence.

    A pale line shows accuracy before temperature scaling, if it is known.
    """
    bins = reliability(run.answers)
    figure = new_figure(3.9)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    width, centers = 100 * (bins.edges[1] - bins.edges[0]), 100 * (bins.edges[:-1] + bins.edges[1:]) / 2
    filled = bins.share > 0
    places, right, sure = centers[filled], 100 * bins.accuracy[filled], 100 * bins.confidence[filled]
    is_few = bins.share[filled] * run.answers.predicted.size < FEW
    upper.bar(places, right, 0.92 * width, color=[(PALETTE["right"], 0.35 if few else 1.0) for few in is_few])
    upper.plot([0, 100], [0, 100], "--", color=PALETTE["muted"], linewidth=1, label="perfect calibration")
    upper.plot(sure, right, "o", color=PALETTE["first"], markersize=3.5, label="mean confidence of a bar")
    _draw_before(upper, run)
    finish(upper, x="", y="accuracy, %")
    upper.set_ylim(0, 103)
    lower.bar(centers, 100 * bins.share, 0.92 * width, color=PALETTE["muted"])
    finish(lower, x="confidence, %", y="predictions, %")
    lower.set_xlim(0, 100)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, columnspacing=1.0, handletextpad=0.5)
    return figure


def draw_risk_coverage(run: RunContents) -> "Figure":
    """Draw the risk-coverage curve, and mark where the threshold from validation ends up."""
    curve, selection = error_curve(run.answers), run.transfer.selection
    figure = new_figure(2.9)
    axes = figure.add_subplot()
    coverage, risk = 100 * curve.coverage, 100 * curve.risk
    axes.plot(coverage, risk, color=PALETTE["first"], linewidth=2, label="by confidence")
    if selection is not None:
        goal = 100 * ERROR_RATE
        axes.axhline(goal, linestyle="--", color=PALETTE["muted"], linewidth=1, label=f"goal: {goal:.0f} % error")
        if selection.coverage:
            axes.plot(100 * selection.coverage, 100 * selection.error, "o", color=PALETTE["second"], markersize=6,
                      clip_on=False, zorder=3, label="threshold from validation")  # fmt: skip
    finish(axes, x="answered (coverage), %", y="wrong among answered, %")
    axes.set_xlim(0, 100)
    enough = curve.coverage > MIN_COVERAGE  # at lower coverage, the risk is that of a few predictions
    axes.set_ylim(0, 1.1 * max(*risk[enough], 100 * ERROR_RATE))
    figure.legend(loc="outside upper left", ncols=3, frameon=False, columnspacing=1.0, handletextpad=0.5)
    return figure


def _draw_before(axes: "Axes", run: RunContents) -> None:
    """Draw accuracy before temperature scaling, in bins with enough predictions."""
    before = run.before_temperature
    if before is None:
        return
    bins = reliability(before)
    many = bins.share * before.predicted.size >= FEW
    axes.plot(100 * bins.confidence[many], 100 * bins.accuracy[many], "s-", color=PALETTE["second"], alpha=0.55,
              linewidth=1, markersize=3, markeredgewidth=0, label="before temperature scaling")  # fmt: skip


def _name_cells(axes: "Axes", classes: Sequence[str]) -> None:
    """Label the rows and columns of a confusion matrix, and draw lines between the cells."""
    size = len(classes)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_xticks(range(size), classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), classes)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(which="minor", color=PALETTE["grid"], linewidth=0.8)
    axes.spines[:].set_visible(False)


def _draw_strip(axes: "Axes", row: int, groups: Sequence[GroupScore]) -> None:
    ordered = sorted(groups, key=lambda group: group.uar)
    values = [100 * group.uar for group in ordered]
    lanes = [row + 0.09 * (number * 2 % _LANES - _LANES // 2) for number in range(len(ordered))]
    axes.plot(values, lanes, "o", color=PALETTE["ink"], alpha=0.75, markersize=4.5, markeredgewidth=0, clip_on=False)
    if len(ordered) < 2:
        return
    for group, side in ((ordered[0], "right"), (ordered[-1], "left")):
        name = group.name.rpartition("/")[2]
        is_lowest = side == "right"
        place = (values[0] - 1.5, lanes[0]) if is_lowest else (values[-1] + 1.5, lanes[-1])
        if 8 < place[0] < 94:  # beyond, the text would leave the axes
            axes.text(*place, name, ha=side, va="center", fontsize=SMALL, color=PALETTE["muted"])


def _curves(histories: Sequence[History], measure: Measure) -> list[tuple[str, History, NDArray[np.float64]]]:
    """Return side of the split, history and values of each curve of a metric; empty columns are left out."""
    found = []
    for side in _SIDES:
        for history in histories:
            values = history.columns.get(f"{side}_{measure}")
            if history.epochs > 1 and values is not None and np.isfinite(values).any():
                found.append((side, history, values if measure == "loss" else 100 * values))
    return found


def _mean(curves: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean over fits, up to the epoch that half of them reached."""
    length = sorted(map(len, curves))[(len(curves) - 1) // 2]
    return np.array([np.nanmean([c[i] for c in curves if i < len(c)]) for i in range(length)])


def _count(value: float) -> str:
    return f"{value:.0f}" if math.isclose(value, round(value)) else f"{value:.1f}"
