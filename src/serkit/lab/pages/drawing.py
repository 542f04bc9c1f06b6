"""The style of a report's figures, and how a figure becomes a file or an SVG element of an HTML page.

Figures are drawn in the colors of ``PALETTE``. In an SVG element, each color becomes the style sheet's variable of the
same name, so that figures follow the page's light or dark mode; text takes the page's typeface.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serkit.visible_text import visible
from serkit.writing import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue, orange and vermilion are from Okabe and Ito, Color Universal Design, 2008.
PALETTE: Mapping[str, str] = {
    "ink": "#1b1f24",
    "muted": "#5b6470",
    "grid": "#e3e6ea",
    "right": "#56b4e9",
    "wrong": "#e69f00",
    "first": "#0072b2",
    "second": "#d55e00",
}
NOTHING = "\N{EN DASH}"  # shown in place of a missing value
WIDTH_IN = 4.6  # of every figure; a phone shows it at nearly this size
SMALL, NORMAL = 8, 9  # points
_METADATA: Mapping[str, Mapping[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}

Maker = Callable[[], "Figure"]


def as_svg(make: Maker, name: str, label: str) -> str:
    """Draw a figure as an SVG element for an HTML page.

    Args:
        make: Function that makes the figure.
        name: Name of the figure, unique on the page. It keeps ids within the SVG unique too.
        label: Description for screen readers, already escaped.
    """
    buffer = io.StringIO()
    with _style({"svg.fonttype": "none", "svg.hashsalt": name}):
        make().savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = visible(buffer.getvalue(), keep="\n\t")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| (?<=<g )id="[^"]*"|(?<=<g) id="[^"]*"| font-family: [^;"]*;', "", text)
    text = re.sub(r'<svg[^>]* (viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{label}">', text, count=1)
    text = re.sub(r"\s*\n\s*", " ", text)
    for variable, color in PALETTE.items():
        text = text.replace(color, f"var(--{variable})")
    return text.strip()


def write_figure(make: Maker, path: Path) -> Path:
    """Draw a figure into a ``.png`` or ``.svg`` file. The same run gives the same bytes."""
    form, buffer = path.suffix[1:], io.BytesIO()
    with _style({"svg.hashsalt": "serkit"}):
        make().savefig(buffer, format=form, dpi=200, facecolor="white", metadata=dict(_METADATA[form]))
    content = buffer.getvalue()
    if form == "svg":  # its comments and titles hold the texts as they are
        content = visible(content.decode("utf-8"), keep="\n\t").encode("utf-8")
    write_whole(path, content)
    return path


def new_figure(height_in: float) -> "Figure":
    """Return an empty figure that is not registered with pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def finish(axes: "Axes", *, x: str, y: str, grid: str = "y") -> None:
    """Label the axes, draw the grid and remove the upper and right spines."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=PALETTE["grid"], linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


@contextmanager
def _style(more: Mapping[str, Any]) -> Iterator[None]:
    """Set colors and font sizes while a figure is drawn."""
    from matplotlib import rc_context

    ink, muted = PALETTE["ink"], PALETTE["muted"]
    settings: dict[str, Any] = {
        "font.size": NORMAL, "axes.labelsize": NORMAL, "xtick.labelsize": SMALL, "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL, "text.color": ink, "axes.labelcolor": ink, "axes.edgecolor": muted,
        "xtick.color": muted, "ytick.color": muted, "xtick.labelcolor": ink, "ytick.labelcolor": ink,
        "text.parse_math": False,  # a speaker may be named $x$
    }  # fmt: skip
    everything: Any = settings | dict(more)  # matplotlib types each name
    with rc_context(everything), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's typeface may have it
        yield
