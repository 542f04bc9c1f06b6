"""The calibration section of a page of results: which runs it shows, their cells, and what they come to in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serkit.lab.leaderboard import words
from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.rows import RunEntry, is_across
from serkit.lab.measure.calibration import ERROR_RATE
from serkit.lab.measure.calibration_transfer import COVERAGES, Transfer, read_transfer

_GOAL = f"{100 * ERROR_RATE:.0f} %"
HEAD = (
    "run", "tested on", "ECE before", "ECE", "Brier before", "Brier", f"answered for {_GOAL}", "wrong of these",
    *(f"sets for {100 * coverage:.0f} %" for coverage in COVERAGES),
)  # fmt: skip
_COLUMNS = (
    "The headline of each group, the next run whose temperature is known where the headline's is not, and every run on "
    "corpora that were not trained on; speaker-independent ones alone. In percent, but for Brier (0 to 2) and set "
    "sizes.\n\n"
    "- **ECE, Brier**: expected calibration error (15 bins) and Brier score (summed over classes) of the test answers; "
    "**before**: without the temperature that each fit, or an ensemble's common answer, took from its validation "
    "speakers. A vote and a finished model's run have none, and of a temperature far below 1 the four stored decimals "
    "do not tell what was before it: then it is empty.\n"
    f"- **answered for {_GOAL}**: each fold takes from its validation answers the lowest top probability above which "
    f"at most {_GOAL} are wrong; this share of its test answers reaches it, and **wrong of these** should be {_GOAL} "
    "at most.\n"
    "- **sets**: classes whose probability reaches what validation asks for if sets shall hold the true class that "
    "often (split conformal); how often they did, and how many classes a set has on average.\n"
    "- Empty where a run kept no validation answers."
)


@dataclass(frozen=True)
class Line:
    """A run of the table."""

    entry: RunEntry
    found: Transfer

    @property
    def is_on_new_corpora(self) -> bool:
        """Whether the tested corpora were not trained on."""
        return is_across(self.entry.row)

    @property
    def tested_on(self) -> str:
        """Who is tested, and what sets the validation apart."""
        who = "an unseen corpus" if self.is_on_new_corpora else "new speakers"
        return ", ".join([who, *words.remarks_of(self.entry.row)])


def calibration_lines(board: Board) -> list[Line]:
    """Return the runs that the section shows, in the order of the table."""
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


def cells_of(line: Line) -> list[str]:
    """Return a run's cells, as ``HEAD`` names them."""
    found = line.found
    before, selection = found.before, found.selection
    return [
        words.name_of(line.entry.row),
        line.tested_on,
        "" if before is None else _percent(before.ece),
        _percent(found.after.ece),
        "" if before is None else f"{before.brier:.3f}",
        f"{found.after.brier:.3f}",
        "" if selection is None else _percent(selection.coverage),
        "" if selection is None or math.isnan(selection.error) else _percent(selection.error),
        *(f"{_percent(sets.coverage)} ({sets.size:.1f})" for sets in found.sets.values()),
        *([] if found.sets else [""] * len(COVERAGES)),
    ]


def calibration_words(lines: Sequence[Line]) -> str:
    """Return what each column means, and what the numbers come to on new speakers and on unseen corpora."""
    same = [line for line in lines if not line.is_on_new_corpora and line.entry.row["validation"] == "speakers"]
    other = [line for line in lines if line.is_on_new_corpora]
    said = [_conclusion("On new speakers", same), _conclusion("On an unseen corpus", other)]
    if any(_misses(line) for line in other):
        said.append("So neither the threshold nor the sets hold on a corpus that was not trained on.")
    return "\n\n".join([_COLUMNS, *([" ".join(filter(None, said))] if any(said) else [])])


def _conclusion(where: str, lines: Sequence[Line]) -> str:
    parts = []
    pairs = [(line.found.before.ece, line.found.after.ece) for line in lines if line.found.before]
    if pairs:
        better = sum(after < before for before, after in pairs)
        parts.append(f"the temperature lowers the calibration error of {better} of {len(pairs)} runs")
    errors = [line.found.selection.error for line in lines if line.found.selection]
    errors = [error for error in errors if not math.isnan(error)]
    if errors:
        parts.append(f"where {_GOAL} of the answers may be wrong, {_span(errors)} are")
    parts += [
        f"sets for {100 * coverage:.0f} % hold the true class in {_span(held)}"
        for coverage in COVERAGES
        if (held := [line.found.sets[coverage].coverage for line in lines if line.found.sets])
    ]
    return f"{where} {'; '.join(parts)}." if parts else ""


def _misses(line: Line) -> bool:
    """Whether some sets hold the true class five points more rarely than they should."""
    return any(sets.coverage < coverage - 0.05 for coverage, sets in line.found.sets.items())


def _span(shares: Sequence[float]) -> str:
    found = sorted(shares)
    low, high = f"{100 * found[0]:.0f}", f"{100 * found[-1]:.0f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def _line(entry: RunEntry) -> Line:
    return Line(entry, read_transfer(entry.folder))


def _percent(share: float) -> str:
    return words.number(100 * share)
