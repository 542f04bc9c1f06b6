"""Runs side by side, recomputed from their predictions. Nothing here needs torch."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serkit.errors import RunError
from serkit.lab.runs import measure, read_json, read_predictions

_FACTS = ("name", "protocol", "is_speaker_independent", "labels", "corpora", "model", "complete", "validation_uar")


def recompute(run: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a table shows of a run: its facts, and its numbers computed again from predictions.

    Raises:
        RunError: If the folder is not a run, or holds no predictions.
    """
    folder = Path(run)
    stored = read_json(folder, "metrics.json")
    rows, classes = read_predictions(folder)
    if not rows:
        raise RunError(f"{str(run)!r} holds no predictions: it was trained, not evaluated.")
    return {name: stored[name] for name in _FACTS} | measure(rows, classes)


def as_markdown(runs: Sequence[dict[str, Any]]) -> str:
    """Return a table, speaker-dependent runs marked; UAR with its 95 % interval, all in percent."""
    lines = [
        "| run | protocol | classes | speakers | clips | seeds | UAR [95 %] | WA | macro-F1 | validation UAR |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        mark = "" if run["is_speaker_independent"] else " **(shares speakers)**"
        unfinished = "" if run["complete"] else " (unfinished)"
        star = "" if run["interval_over"] == "speakers" else "*"
        seen = "" if run["validation_uar"] is None else f"{run['validation_uar']:.1f}"
        lines.append(
            f"| {run['name']}{unfinished} | {run['protocol'].replace('_', ' ')}{mark} | {len(run['classes'])} "
            f"| {run['speakers']} | {run['utterances']} | {len(run['seeds'])} "
            f"| {run['uar']:.1f} [{run['uar_low']:.1f}, {run['uar_high']:.1f}]{star} "
            f"| {run['wa']:.1f} | {run['macro_f1']:.1f} | {seen} |"
        )
    if any(run["interval_over"] != "speakers" for run in runs):
        lines.append("\n\\* resampled over utterances within speakers: it tells nothing about new speakers.")
    return "\n".join(lines)
