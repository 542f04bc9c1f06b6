"""A leaderboard as JSON, and as CSV with one row per run. Percentages have two decimals."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.comparisons import Family
from serkit.lab.leaderboard.grouping import group_of
from serkit.lab.leaderboard.human_row import human_score_of
from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.measure.significance import Difference
from serkit.spreadsheet_cells import guarded

_NUMBERS = (
    "uar", "uar_low", "uar_high", "interval_over", "wa", "macro_f1", "ece", "validation_uar",
    "uar_deviation_over_seeds", "uar_fold_mean", "uar_fold_deviation",
)  # fmt: skip
_TOGETHER = ("uar", "uar_low", "uar_high", "validation_uar")
_DIFFERENCE = ("reference", "difference", "low", "high", "p", "p_holm", "comparisons", "over")


def as_json(board: Board) -> str:
    """Return a JSON list with one object per run, in the order of the table.

    Each object has the run's facts and metrics; ``group``; ``unsealed``, why the run is not taken as measured, null for
    a sealed run; ``is_headline``; ``against``, its reference and the
    difference from it, null for a reference and an uncompared run; ``leaks``, the effect of shared speakers;
    ``validation_promise``, validation UAR minus test UAR if the run is one of a pair with different validation; and
    ``human``, how well listeners name the same emotions, null where nobody asked them.
    """
    against = _against(board)
    rows = []
    for entry in board.entries:
        more = {
            "folder": entry.folder.name,
            "group": _group(entry),
            "unsealed": entry.row.get("unsealed"),
            "is_headline": board.is_headline(entry),
            "against": against.get(entry.folder),
            "leaks": _leaks(board, entry),
            "validation_promise": _validation_gap(board, entry),
            "human": asdict(score) if (score := human_score_of(entry.row)) else None,
        }
        rows.append(entry.row | more)
    return json.dumps(rows, indent=1, ensure_ascii=False)


def as_csv(board: Board) -> str:
    """Return a CSV table with one row per run. Missing numbers are empty; true and false are 1 and 0.

    A text that a spreadsheet would run as a formula has an apostrophe before it.
    """
    rows = _csv_rows(board)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(guarded, columns))
    for row in rows:
        writer.writerow(guarded(cell) if isinstance(cell := row.get(name, ""), str) else cell for name in columns)
    return buffer.getvalue()


def _csv_rows(board: Board) -> list[dict[str, Any]]:
    against, rows = _against(board), []
    for entry in board.entries:
        row = entry.row
        found = against.get(entry.folder) or {}
        rows.append(
            {
                "run": row["name"],
                "folder": entry.folder.name,
                "group": _group(entry),
                "is_headline": int(board.is_headline(entry)),
                "saved_as": row.get("saved_as", ""),
                "unsealed": row.get("unsealed", ""),
                "protocol": row["protocol"],
                "is_speaker_independent": int(entry.is_fair),
                "validation": row["validation"],
                "labels": row["labels"],
                "corpora": "+".join(row["corpora"]),
                "train_corpora": "+".join(row.get("train_corpora", ())),
                "test_corpora": "+".join(row.get("test_corpora", ())),
                "train_speakers": row.get("train_speakers", ""),
                "first_corpora": "+".join(row.get("pretraining", {}).get("corpora", ())),
                "model": row["model"],
                "is_complete": int(row["complete"]),
                "classes": len(row["recall"]),
                "speakers": row["speakers"],
                "utterances": row["utterances"],
                "seeds": len(row["seeds"]),
                "is_validation_pooled": int(row["is_validation_pooled"]),
                "is_epoch_chosen": int(row["is_epoch_chosen"]),
            }
            | {name: "" if row[name] is None else row[name] for name in _NUMBERS}
            | _together(row)
            | {_column(name): found.get(name, "") for name in _DIFFERENCE}
        )
    emotions = sorted({emotion for entry in board.entries for emotion in entry.row["recall"]})
    for entry, cells in zip(board.entries, rows, strict=True):
        cells |= {f"recall_{emotion}": entry.row["recall"].get(emotion, "") for emotion in emotions}
    return rows


def _together(row: dict[str, Any]) -> dict[str, Any]:
    found = row.get("together", {})
    return {f"together_{name}": "" if found.get(name) is None else found[name] for name in _TOGETHER}


def _column(name: str) -> str:
    return f"difference_{name}" if name in ("low", "high", "over") else name


def _group(entry: RunEntry) -> str:
    return " / ".join(part for part in group_of(entry.row) if part)


def _against(board: Board) -> dict[Any, dict[str, Any]]:
    found = {}
    for family in board.families:
        for one in family.comparisons:
            found[one.run.folder] = _measured(family, one.difference, one.p_holm)
    return found


def _measured(family: Family, difference: Difference, p_holm: float) -> dict[str, Any]:
    made = {"reference": family.reference.name, "comparisons": len(family.comparisons)}
    return made | _percent(difference) | {"p_holm": round(p_holm, 5)}


def _percent(found: Difference) -> dict[str, Any]:
    values = {"difference": found.value, "low": found.low, "high": found.high}
    rounded = {name: round(100 * value, 2) + 0.0 for name, value in values.items()}
    return rounded | {"p": round(found.p, 5), "over": found.over}


def _leaks(board: Board, entry: RunEntry) -> list[dict[str, Any]]:
    return [
        {"speaker_independent": leak.fair.name, "is_same_recipe": leak.is_twin}
        | {"difference": round(entry.row["uar"] - leak.fair.row["uar"], 2)}
        | (_percent(leak.difference) | {"p_holm": round(leak.p_holm or 0.0, 5)} if leak.difference else {})
        for leak in board.leaks
        if leak.leaky is entry
    ]


def _validation_gap(board: Board, entry: RunEntry) -> float | None:
    """Return validation UAR minus test UAR if the run is one of a pair with different validation, else None."""
    is_paired = any(entry is one for pair in board.validation_pairs for one in pair)
    return round(entry.row["validation_uar"] - entry.row["uar"], 2) if is_paired else None
