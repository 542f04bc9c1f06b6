"""Printed predictions: a table for people, JSON and CSV for programs."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from serkit.errors import SerkitError
from serkit.types import Prediction

Answers = Sequence[tuple[Path, Prediction | SerkitError]]
SetOf = Callable[[Prediction], tuple[str, ...]] | None  # returns the prediction set, where sets were requested
_BAR = 30  # width of a full bar in characters


def print_answers(answers: Answers, top: int | None, set_of: SetOf = None) -> None:
    """Print a table to stdout: one row per emotion for a single file, one row per file for several files.

    Files that failed are left out. If all files failed, nothing is printed.

    Args:
        answers: Files with their answers or errors.
        top: Number of most probable emotions to show. None shows all for a single file, three for several files.
        set_of: Function that returns the prediction set of an answer; None for no sets.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # rich takes a plain string for markup, and "[b].wav" is a file name

    console = Console()
    block = "#" if console.options.ascii_only else "█"
    good = [(str(file), answer) for file, answer in answers if isinstance(answer, Prediction)]
    if not good:
        return
    if len(answers) == 1:
        for name, answer in good:
            is_named = answer.emotion in answer.probabilities
            title = Text(f"{name} ({answer.duration:.2f} s){'' if is_named else f': {answer.emotion}'}")
            caption = Text(f"one of {', '.join(set_of(answer))}") if set_of else None
            table = Table(
                title=title, title_justify="left", box=box.SIMPLE_HEAD, caption=caption, caption_justify="left"
            )
            table.add_column("emotion")
            table.add_column("probability", justify="right")
            table.add_column("", min_width=_BAR)
            for emotion, value in _top(answer, top):
                table.add_row(emotion, f"{value:.3f}", block * round(value * _BAR))
            console.print(table)
        return
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("file", "emotion", "probability", "next", *(("one of",) if set_of else ())):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("emotion", "probability"))
    for name, answer in good:
        shown = _top(answer, top or 3)
        named = answer.probabilities.get(answer.emotion)
        rest = ", ".join(f"{n} {v:.3f}" for n, v in shown if n != answer.emotion)
        among = [", ".join(set_of(answer))] if set_of else []
        table.add_row(Text(name), answer.emotion, "" if named is None else f"{named:.3f}", rest, *among)
    console.print(table)


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
    """Return one answer for JSON: emotion, probabilities, duration, and the prediction set where requested."""
    row: dict[str, object] = {
        "emotion": answer.emotion,
        "probabilities": {name: round(value, 6) for name, value in _top(answer, top)},
        "duration": answer.duration,
    }
    return row | ({"set": list(set_of(answer))} if set_of else {})


def answers_as_csv(answers: Answers, classes: Sequence[str], top: int | None, set_of: SetOf = None) -> str:
    """Return CSV with one row per file and one column per class.

    Classes beyond ``top`` are empty. The last column is the error of a file that failed. With ``set_of``, the column
    before it is the prediction set, its classes joined by semicolons.
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
