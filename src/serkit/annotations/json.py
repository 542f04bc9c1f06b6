"""JSON: everything in a timeline except the peaks, which are only for pictures.

The document has one line for each stretch of speech, segment and window, so that line-based tools can search and
compare it. Times have 3 decimals, probabilities and embeddings have 6. Channels count from 0.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import storable
from serkit.types import Gap, Segment, Speech, Window

_LISTS = ("speech", "segments", "windows")  # one line for each of their items


def write(timeline: TimelineData) -> str:
    """Return a timeline as a JSON document."""
    parts = [
        _lines(key, value) if key in _LISTS else f'  "{key}": {_dump(value)}'
        for key, value in as_dict(timeline).items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def as_dict(timeline: TimelineData) -> dict[str, Any]:
    """Return a timeline as values that JSON can hold, rounded as in the document."""
    content = {
        "name": timeline.name,
        "model": timeline.model,
        "duration": round(timeline.duration, 3),
        "sampling_rate": timeline.sampling_rate,
        "channels": timeline.channels,
        "classes": list(timeline.classes),
        "settings": timeline.settings,
        "remarks": list(timeline.remarks),
        "gaps": gaps_as_rows(timeline.gaps),
        "speech": [_times(stretch) for stretch in timeline.speech],
        "segments": [_answer(segment) for segment in timeline.segments],
        "windows": [_window(window) for window in timeline.windows],
    }
    return {key: _plain(value) for key, value in content.items()}


def gaps_as_rows(gaps: Sequence[Gap]) -> list[dict[str, float | None]]:
    """Return stretches without audio for JSON. An unknown end is null."""
    return [{"start": round(g.start, 3), "end": None if g.end is None else round(g.end, 3)} for g in gaps]


def _lines(key: str, items: list[dict[str, Any]]) -> str:
    rows = ",\n".join(f"    {_dump(item)}" for item in items)
    return f'  "{key}": [\n{rows}\n  ]' if rows else f'  "{key}": []'


def _times(stretch: Speech | Segment | Window) -> dict[str, Any]:
    return {"start": round(stretch.start, 3), "end": round(stretch.end, 3), "channel": stretch.channel}


def _answer(stretch: Segment | Window) -> dict[str, Any]:
    probabilities = {name: round(float(share), 6) for name, share in stretch.probabilities.items()}
    return {**_times(stretch), "emotion": stretch.emotion, "probabilities": probabilities}


def _window(window: Window) -> dict[str, Any]:
    if window.embedding is None:
        return _answer(window)
    return {**_answer(window), "embedding": [round(float(value), 6) for value in window.embedding]}


def _dump(value: Any) -> str:
    return storable(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: settings may contain NumPy numbers, paths or an infinite length."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
