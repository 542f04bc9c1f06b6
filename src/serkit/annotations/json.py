"""JSON: all that a timeline holds but the peaks, which are for pictures.

One document with a line for each stretch of speech, segment and window, so that it can be read, searched and
compared line by line. Times have 3 decimals, probabilities and embeddings 6. Channels count from 0.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from serkit.annotations.timeline import Timeline
from serkit.annotations.wording import storable
from serkit.types import Segment, Speech, Window


def write(timeline: Timeline) -> str:
    """Return a timeline as a JSON document."""
    facts = {
        "name": timeline.name,
        "model": timeline.model,
        "duration": round(timeline.duration, 3),
        "sampling_rate": timeline.sampling_rate,
        "channels": timeline.channels,
        "classes": list(timeline.classes),
        "settings": timeline.settings,
    }
    parts = [f'  "{key}": {_dump(value)}' for key, value in facts.items()]
    parts += [
        _lines("speech", map(_times, timeline.speech)),
        _lines("segments", map(_answer, timeline.segments)),
        _lines("windows", map(_window, timeline.windows)),
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(key: str, items: Iterable[dict[str, Any]]) -> str:
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
    return storable(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    """Return what JSON has for a value: settings may hold numpy's numbers, paths, or an infinite length."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
