"""Which format a client wants: ``?format=``, or the Accept header."""

from collections.abc import Mapping, Sequence

from serkit.annotations import FORMATS
from serkit.server.decoder_process import DRAWING
from serkit.server.problems import Problem

MEDIA_TYPES: Mapping[str, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "windows-csv": "text/csv; charset=utf-8",
    "textgrid": "text/x-praat-textgrid; charset=utf-8",
    "elan": "text/x-eaf+xml; charset=utf-8",
    "audacity": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "rttm": "text/x-rttm; charset=utf-8",
    DRAWING: "application/vnd.serkit.drawing+json",
}
PREDICTION_FORMATS = ("json", "csv")
TIMELINE_FORMATS = (*FORMATS, DRAWING)


def bare_type(name: str) -> str:
    """Return the media type of a format without parameters."""
    return MEDIA_TYPES[name].partition(";")[0]


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """Return the format that an Accept header likes best.

    Args:
        accept: The header; None and an empty one like everything.
        offered: Names of formats; of those that are liked alike the first.

    Raises:
        Problem: 406, if it likes none.

    Example:
        >>> choose("text/csv, */*;q=0.1", ("json", "csv")), choose(None, ("json", "csv"))
        ('csv', 'json')
    """
    if not accept or not accept.strip():
        return offered[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    weights = {name: _weight(bare_type(name), ranges) for name in offered}
    best = max(offered, key=lambda name: weights[name])
    if weights[best] <= 0:
        raise Problem(
            406, "not-acceptable", "the Accept header asks for a media type that there is not.",
            accepted=sorted({bare_type(name) for name in offered}),
        )  # fmt: skip
    return best


def _range(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
            return kind, weight if 0 <= weight <= 1 else 0.0
    return kind, 1.0


def _weight(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return what the most specific range that fits says: RFC 9110, section 12.5.1."""
    for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        for name, weight in ranges:
            if name == wanted:
                return weight
    return 0.0
