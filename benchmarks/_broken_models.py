"""Broken model files: the embedded ones with faults in their bytes, their metadata or their card."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from _service import mutant
from serkit.card import METADATA_KEY

_ASSETS = Path(__file__).parents[1] / "src" / "serkit" / "assets"
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e300, float("nan"), float("inf"), -float("inf"), 1 << 80, "", "x" * 100_000, "16000",
    "anger", ["anger"], [], [[]], [1, 2, 3], {}, {"a": {"b": [None]}},
)  # fmt: skip
_TEXTS = ("", "{", "[]", "null", "1", '"text"', "[" * 20_000, '{"format": 2}', '{"format": NaN}', "\0", "{" * 9_000)


def write_models(folder: Path, count: int, *, seed: int) -> None:
    """Write broken model files: half of them with wrong bytes, half of them with a wrong card."""
    whole = {name: (_ASSETS / f"{name}.onnx").read_bytes() for name in ("default", "emodb", "speech")}
    for number in range(count):
        if number % 2:
            content = mutant(whole, number // 2, seed=seed)[1]
        else:
            rng = np.random.default_rng((seed, number))
            content = _with_wrong_card(whole[("default", "emodb")[number // 2 % 2]], rng)
        (folder / f"{number:05}.onnx").write_bytes(content)


def _with_wrong_card(content: bytes, rng: np.random.Generator) -> bytes:
    """Change one to three values of the card, or the whole of it."""
    model = onnx.load_from_string(content)
    entry = next(one for one in model.metadata_props if one.key == METADATA_KEY)
    if rng.integers(8) == 0:
        entry.value = _TEXTS[int(rng.integers(len(_TEXTS)))]
    else:
        card = json.loads(entry.value)
        for _ in range(int(rng.integers(1, 4))):
            _change(card, rng)
        entry.value = json.dumps(card)
    made: bytes = model.SerializeToString()
    return made


def _change(card: dict[str, Any], rng: np.random.Generator) -> None:
    """Delete a value, change it, or put it into another, on any level of the card."""
    place: Any = card
    keys = sorted(place)
    key: Any = keys[int(rng.integers(len(keys)))]
    while isinstance(place[key], dict | list) and place[key] and rng.integers(2):
        place = place[key]
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[int(rng.integers(len(keys)))]
    fault = int(rng.integers(8))
    if fault == 0:
        del place[key]
    elif fault == 1:
        place[key] = [place[key]]
    else:
        place[key] = _VALUES[int(rng.integers(len(_VALUES)))]
