"""Predictions as JSON and CSV."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from serkit.annotations.json import gaps_as_rows
from serkit.errors import SerkitError
from serkit.spreadsheet_cells import guarded
from serkit.types import Prediction

Answers = Sequence[tuple[str | Path, Prediction | SerkitError]]
SetOf = Callable[[Prediction], tuple[str, ...]] | None  # returns the prediction set, where sets were requested


def answers_as_json(answers: Answers, top: int | None, set_of: SetOf = None) -> str:
    """Return a JSON list with one object per file. A file that failed has ``error`` instead of an answer."""
    rows: list[dict[str, object]] = []
    for file, answer in answers:
        if isinstance(answer, SerkitError):
            rows.append({"file": str(file), "error": str(answer)})
            continue
        rows.append({"file": str(file)} | answer_as_row(answer, top, set_of))
    return json.dumps(rows, indent=1)  # ASCII, since a file name may have bytes that are not UTF-8


def answer_as_row(answer: Prediction, top: int | None, set_of: SetOf = None) -> dict[str, object]:
    """Return one answer for JSON: emotion, probabilities, duration, remarks, gaps, and the prediction set if wanted."""
    row: dict[str, object] = {
        "emotion": answer.emotion,
        "probabilities": {name: round(value, 6) for name, value in _top(answer, top)},
        "duration": answer.duration,
        "remarks": list(answer.remarks),
        "gaps": gaps_as_rows(answer.gaps),
    }
    return row | ({"set": list(set_of(answer))} if set_of else {})


def answers_as_csv(answers: Answers, classes: Sequence[str], top: int | None, set_of: SetOf = None) -> str:
    """Return CSV with one row per file and one column per class.

    Classes beyond ``top`` are empty. The last columns are the remarks, joined by semicolons, and the error of a file
    that failed. With ``set_of``, the column before them is the prediction set, its classes joined by semicolons. A text
    that a spreadsheet would run as a formula has an apostrophe before it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    more = ["set"] if set_of else []
    writer.writerow(["file", "emotion", "duration", *map(guarded, classes), *more, "remarks", "error"])
    for file, answer in answers:
        if isinstance(answer, SerkitError):
            writer.writerow([guarded(str(file)), "", "", *("" for _ in [*classes, *more]), "", guarded(str(answer))])
            continue
        shown = dict(_top(answer, top))
        values = [f"{shown[name]:.6f}" if name in shown else "" for name in classes]
        among = [guarded(";".join(set_of(answer)))] if set_of else []
        facts = [guarded(str(file)), guarded(answer.emotion), answer.duration]
        writer.writerow([*facts, *values, *among, ";".join(answer.remarks), ""])
    return buffer.getvalue()


def _top(answer: Prediction, top: int | None) -> list[tuple[str, float]]:
    return list(answer.probabilities.items())[:top]
