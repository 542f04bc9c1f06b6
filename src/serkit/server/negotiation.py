"""Content negotiation: which output format a client asks for, by ``?format=`` or the Accept header."""

from collections.abc import Mapping, Sequence

from serkit.annotations import FORMATS
from serkit.server.decoder_messages import DRAWING
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
    """Return the media type of a format, without parameters such as the charset."""
    return MEDIA_TYPES[name].partition(";")[0]


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """Return the offered format that an Accept header prefers.

    Args:
        accept: Value of the header; None or an empty string accepts every format.
        offered: Names of formats; the first wins a tie.

    Raises:
        Problem: 406, if the header accepts none of the formats.

    Example:
        >>> choose("text/csv, */*;q=0.1", ("json", "csv")), choose(None, ("json", "csv"))
        ('csv', 'json')
    """
    if not accept or not accept.strip():
        return offered[0]
    ranges = [_parse_range(part) for part in accept.split(",") if part.strip()]
    weights = {name: _weight(bare_type(name), ranges) for name in offered}
    best = max(offered, key=lambda name: weights[name])
    if weights[best] <= 0:
        raise Problem(
            406, "not-acceptable", "the Accept header allows none of the formats that this service sends here.",
            accepted=sorted({bare_type(name) for name in offered}),
        )  # fmt: skip
    return best


def _parse_range(part: str) -> tuple[str, float]:
    """Return the media range and weight of one part of an Accept header; a malformed weight counts as 0."""
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
    """Return the weight of the most specific range that matches a media type (RFC 9110, section 12.5.1)."""
    for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        for name, weight in ranges:
            if name == wanted:
                return weight
    return 0.0
