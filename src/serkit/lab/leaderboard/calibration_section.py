"""The calibration section of the results page: which runs it shows, their cells, and a summary."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serkit.lab.leaderboard import table_text
from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.grouping import is_across
from serkit.lab.measure.calibration import ERROR_RATE
from serkit.lab.measure.calibration_transfer import COVERAGES, Transfer, read_transfer
from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.pages.shared_text import percent

_GOAL = f"{100 * ERROR_RATE:.0f} %"
HEAD = (
    "run", "tested on", "ECE before", "ECE", "Brier before", "Brier", f"answered at {_GOAL} error", "error",
    *(f"{100 * coverage:.0f} % prediction sets" for coverage in COVERAGES),
)  # fmt: skip
_COLUMNS = (
    "The table shows speaker-independent runs only: the headline of each group, the next run with a known temperature "
    "if the headline has none, and every run on corpora that are not in training. All numbers are percentages, except "
    "Brier scores (0 to 2) and set sizes.\n\n"
    "- **ECE, Brier**: expected calibration error (15 bins) and Brier score (summed over classes) on test. **before**: "
    "before temperature scaling, which each fit, or the ensemble as a whole, learned on its validation speakers. These "
    "cells are empty for majority votes and runs of finished models, which have no temperature, and if the stored four "
    "decimals cannot recover the probabilities of a temperature far below 1.\n"
    f"- **answered at {_GOAL} error**: each fold takes the lowest top probability above which at most {_GOAL} of its "
    "validation answers are wrong. This column is the share of test answers that reach the threshold; **error** is the "
    f"share of wrong ones among them, which should be at most {_GOAL}.\n"
    "- **prediction sets**: split conformal prediction, with thresholds from each fold's validation predictions. The "
    "cell is the share of sets that hold the true class, and in parentheses the mean number of classes in a set.\n"
    "- These columns are empty if a run did not store its validation predictions."
)


@dataclass(frozen=True)
class CalibrationLine:
    """A row of the table: a run, and how its calibration on validation speakers transfers to test speakers."""

    entry: RunEntry
    found: Transfer

    @property
    def is_on_unseen_corpus(self) -> bool:
        """Whether the run was tested on corpora that it was not trained on."""
        return is_across(self.entry.row)

    @property
    def tested_on(self) -> str:
        """New speakers or an unseen corpus, and remarks on training and validation."""
        who = "unseen corpus" if self.is_on_unseen_corpus else "new speakers"
        return ", ".join([who, *table_text.remarks_of(self.entry.row)])


def calibration_lines(board: Board) -> list[CalibrationLine]:
    """Return the runs of the section, in the order of the table."""
    found = []
    for group in board.groups():
        fair = [entry for entry in group if entry.is_fair and entry.row["complete"]]
        if fair and is_across(fair[0].row):
            found += [_line(entry) for entry in fair]
            continue
        headline = [_line(entry) for entry in fair if board.is_headline(entry)]
        found += headline
        if headline and headline[0].found.before is None:
            others = (_line(entry) for entry in fair if entry.may_lead and not board.is_headline(entry))
            found += [line for line in others if line.found.before is not None][:1]
    return found


def cells_of(line: CalibrationLine) -> list[str]:
    """Return the cells of a run under ``HEAD``."""
    found = line.found
    before, selection = found.before, found.selection
    return [
        table_text.name_of(line.entry.row),
        line.tested_on,
        "" if before is None else percent(before.ece),
        percent(found.after.ece),
        "" if before is None else f"{before.brier:.3f}",
        f"{found.after.brier:.3f}",
        "" if selection is None else percent(selection.coverage),
        "" if selection is None or math.isnan(selection.error) else percent(selection.error),
        *(f"{percent(sets.coverage)} ({sets.size:.1f})" for sets in found.sets.values()),
        *([] if found.sets else [""] * len(COVERAGES)),
    ]


def calibration_note(lines: Sequence[CalibrationLine]) -> str:
    """Return the meaning of each column, and a summary for new speakers and for unseen corpora."""
    same = [line for line in lines if not line.is_on_unseen_corpus and line.entry.row["validation"] == "speakers"]
    other = [line for line in lines if line.is_on_unseen_corpus]
    summary = [_summary("On new speakers", same), _summary("On an unseen corpus", other)]
    if any(_misses_coverage(line) for line in other):
        summary.append("So neither the threshold nor the prediction sets hold on a corpus that is not in training.")
    return "\n\n".join([_COLUMNS, *([" ".join(filter(None, summary))] if any(summary) else [])])


def _summary(where: str, lines: Sequence[CalibrationLine]) -> str:
    parts = []
    pairs = [(line.found.before.ece, line.found.after.ece) for line in lines if line.found.before]
    if pairs:
        better = sum(after < before for before, after in pairs)
        parts.append(f"temperature scaling lowers the calibration error of {better} of {len(pairs)} runs")
    errors = [line.found.selection.error for line in lines if line.found.selection]
    errors = [error for error in errors if not math.isnan(error)]
    if errors:
        parts.append(f"at a threshold for {_GOAL} error, {_span(errors)} of the answers are wrong")
    parts += [
        f"{100 * coverage:.0f} % prediction sets hold the true class in {_span(held)} of cases"
        for coverage in COVERAGES
        if (held := [line.found.sets[coverage].coverage for line in lines if line.found.sets])
    ]
    return f"{where}, {'; '.join(parts)}." if parts else ""


def _misses_coverage(line: CalibrationLine) -> bool:
    """Whether some prediction sets miss their coverage by more than five points."""
    return any(sets.coverage < coverage - 0.05 for coverage, sets in line.found.sets.items())


def _span(shares: Sequence[float]) -> str:
    found = sorted(shares)
    low, high = f"{100 * found[0]:.0f}", f"{100 * found[-1]:.0f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def _line(entry: RunEntry) -> CalibrationLine:
    return CalibrationLine(entry, read_transfer(entry.folder, unsealed=not entry.is_sealed))
