"""The leaderboard itself: runs in order, each protocol's headline, and every comparison between them."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serkit.errors import RunError, nearest
from serkit.lab.leaderboard.headline_names import note_headline_names
from serkit.lab.leaderboard.pairs import Family, Leak, families, leaks, promises, without_companion
from serkit.lab.leaderboard.rows import RunEntry, group_of, in_order, read_entry

NOT_MEASURED = "not-measured.csv"
_COLUMNS = ["recipe", "why"]


@dataclass(frozen=True)
class Board:
    """Runs side by side, as :func:`compare` puts them."""

    entries: tuple[RunEntry, ...]  # in the order of the table
    headlines: frozenset[Path]  # folders
    families: tuple[Family, ...]
    leaks: tuple[Leak, ...]
    promises: tuple[tuple[RunEntry, RunEntry], ...]  # validated on new speakers, and on those trained on
    alone: tuple[RunEntry, ...]  # on whose utterances no other was tested

    def is_headline(self, entry: RunEntry) -> bool:
        """Whether a run is the one that validation chose among those of its group."""
        return entry.folder in self.headlines

    def of_several_seeds(self) -> list[RunEntry]:
        """Return the runs whose seeds can answer together."""
        return [entry for entry in self.entries if "together" in entry.row]

    def groups(self) -> list[list[RunEntry]]:
        """Return the runs of each group, see :func:`serkit.lab.leaderboard.rows.group_of`."""
        found: dict[tuple[str, ...], list[RunEntry]] = {}
        for entry in self.entries:
            found.setdefault(group_of(entry.row), []).append(entry)
        return list(found.values())


def compare(runs: Sequence[RunEntry], *, against: str | os.PathLike[str] | None = None) -> Board:
    """Put runs side by side.

    Args:
        runs: From :func:`serkit.lab.leaderboard.rows.read_entry`.
        against: The reference of those on the same utterances, by name or folder; a folder may be of another run,
            which then joins them. Else each reference is the run with the highest validation UAR.

    Raises:
        RunError: If ``against`` is no run, or was not tested on the utterances of any other.
    """
    note_headline_names(runs)
    reference = None if against is None else _find(runs, against)
    if reference is not None and reference not in runs:
        runs = [*runs, reference]
    entries = in_order(runs)
    found = families(entries, reference)
    if reference is not None:
        _check(found, reference, str(against))
    return Board(
        tuple(entries),
        _headlines(entries),
        tuple(found),
        tuple(leaks(entries, found)),
        tuple(promises(entries)),
        tuple(without_companion(entries)),
    )


def not_measured(runs: Sequence[RunEntry]) -> list[tuple[str, str]]:
    """Return recipes that cannot be measured and why, as ``not-measured.csv`` beside the run folders has them.

    Those that have been measured since are left out.

    Raises:
        RunError: If such a file has other columns, or a row without both.
    """
    found = []
    for folder in sorted({entry.folder.parent for entry in runs}):
        path = folder / NOT_MEASURED
        if path.is_file():
            found += _read_not_measured(path)
    names = {entry.name for entry in runs}
    return [(recipe, why) for recipe, why in found if recipe not in names]


def _read_not_measured(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *lines = [line for line in csv.reader(file) if line] or [_COLUMNS]
    except (ValueError, csv.Error) as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error
    if head != _COLUMNS or any(len(line) != len(_COLUMNS) or not all(line) for line in lines):
        raise RunError(f"{str(path)!r}: expected the columns {','.join(_COLUMNS)}, both filled in on every row.")
    return [(recipe, why) for recipe, why in lines]


def _headlines(entries: Sequence[RunEntry]) -> frozenset[Path]:
    """Return the leader of each group in which there was something to choose, on the same utterances."""
    groups: dict[tuple[Any, ...], dict[Path, RunEntry]] = {}
    for entry in entries:
        if entry.may_lead and entry.answers:
            groups.setdefault((*group_of(entry.row), entry.answers.digest), {})[entry.folder] = entry
    found = set()
    for group in groups.values():
        best = max(entry.row["validation_uar"] for entry in group.values())
        first, *others = (entry for entry in group.values() if entry.row["validation_uar"] == best)
        if len(group) > 1 and not others:
            found.add(first.folder)
    return frozenset(found)


def _find(runs: Sequence[RunEntry], against: str | os.PathLike[str]) -> RunEntry:
    named = [entry for entry in runs if against in (entry.name, entry.folder.name, entry.row.get("saved_as"))]
    if named:
        return named[0]
    folder = Path(against)
    if folder.is_dir():
        return next((entry for entry in runs if entry.folder == folder.resolve()), None) or read_entry(folder)
    hint = nearest(str(against), [entry.name for entry in runs]) or ";"
    raise RunError(f"--against {str(against)!r}: no run of that name{hint} name one of these runs, or a run folder.")


def _check(found: Sequence[Family], reference: RunEntry, against: str) -> None:
    """Refuse a reference that nothing is compared with."""
    if any(family.reference is reference and family.comparisons for family in found):
        return
    answers = reference.answers
    if any(f.reference.answers and answers and f.reference.answers.digest == answers.digest
           for f in found if f.reference is not reference):  # fmt: skip
        kind = "is speaker-independent and the others on its utterances share speakers"
        if not reference.is_fair:
            kind = "shares speakers and the others on its utterances do not"
        raise RunError(f"--against {against!r}: it {kind}: what they differ by is the leak, which has its own table.")
    labels = reference.row["labels"]
    raise RunError(
        f"--against {against!r}: no other run was tested on the same utterances with the same classes "
        f"(label set {labels!r}, {reference.row['utterances']} utterances), so there is nothing to compare it with."
    )
