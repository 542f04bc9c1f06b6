"""Predictions as JSON and CSV."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from serkit.errors import SerkitError
from serkit.types import Prediction

Answers = Sequence[tuple[Path, Prediction | SerkitError]]
SetOf = Callable[[Prediction], tuple[str, ...]] | None  # the classes among which the right one is, where asked for


def answers_as_json(answers: Answers, top: int | None, set_of: SetOf = None) -> str:
    """Return a list of objects, one per file; a file that failed has ``error`` in place of the rest."""
    rows: list[dict[str, object]] = []
    for file, answer in answers:
        if isinstance(answer, SerkitError):
            rows.append({"file": str(file), "error": str(answer)})
            continue
        rows.append({"file": str(file)} | answer_as_row(answer, top, set_of))
    return json.dumps(rows, indent=1)  # escaped: a file may be named in bytes that are no UTF-8


def answer_as_row(answer: Prediction, top: int | None, set_of: SetOf = None) -> dict[str, object]:
    """Return what JSON holds of one answer: emotion, probabilities, duration, and the set where it was asked for."""
    row: dict[str, object] = {
        "emotion": answer.emotion,
        "probabilities": {name: round(value, 6) for name, value in _top(answer, top)},
        "duration": answer.duration,
    }
    return row | ({"set": list(set_of(answer))} if set_of else {})


def answers_as_csv(answers: Answers, classes: Sequence[str], top: int | None, set_of: SetOf = None) -> str:
    """Return one row per file, one column per class (empty beyond ``top``), and the error at the end.

    With ``set_of`` a column ``set`` stands before the error, its classes joined by semicolons.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    more = ["set"] if set_of else []
    writer.writerow(["file", "emotion", "duration", *classes, *more, "error"])
    for file, answer in answers:
        if isinstance(answer, SerkitError):
            writer.writerow([file, "", "", *("" for _ in [*classes, *more]), answer])
            continue
        shown = dict(_top(answer, top))
        values = [f"{shown[name]:.6f}" if name in shown else "" for name in classes]
        among = [";".join(set_of(answer))] if set_of else []
        writer.writerow([file, answer.emotion, answer.duration, *values, *among, ""])
    return buffer.getvalue()


def _top(answer: Prediction, top: int | None) -> list[tuple[str, float]]:
    return list(answer.probabilities.items())[:top]
