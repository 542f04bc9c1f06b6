"""The leaderboard: runs in order, the headline of each group, and every comparison between runs."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serkit.errors import RunError, nearest
from serkit.lab.leaderboard.comparisons import Family, Leak, families, leaks, not_comparable, validation_pairs
from serkit.lab.leaderboard.grouping import group_of, in_order
from serkit.lab.leaderboard.headline_names import note_headline_names
from serkit.lab.leaderboard.same_audio import differing, of_unknown_audio, tell_apart
from serkit.lab.measure.run_entry import RunEntry, read_entry

_NOT_MEASURED = "not-measured.csv"
_COLUMNS = ["recipe", "why"]


@dataclass(frozen=True)
class Board:
    """Runs compared with each other; made by :func:`compare`.

    Attributes:
        entries: Runs in the order of the table.
        headlines: Folders of the headline runs.
        families: Runs on the same utterances, compared with their reference.
        leaks: Runs that share speakers, each beside a speaker-independent run.
        validation_pairs: Pairs of equal runs, the first validated on new speakers, the second on training speakers.
        uncompared: Runs that no other run can be compared with.
        other_audio: Runs on utterances of the same names but different audio, in groups of the same audio.
        unknown_audio: Runs that are compared with others although no digest of their audio is stored.
    """

    entries: tuple[RunEntry, ...]
    headlines: frozenset[Path]
    families: tuple[Family, ...]
    leaks: tuple[Leak, ...]
    validation_pairs: tuple[tuple[RunEntry, RunEntry], ...]
    uncompared: tuple[RunEntry, ...]
    other_audio: tuple[tuple[tuple[RunEntry, ...], ...], ...] = ()
    unknown_audio: tuple[RunEntry, ...] = ()

    def is_headline(self, entry: RunEntry) -> bool:
        """Whether a run is the headline of its group: the run that validation chose."""
        return entry.folder in self.headlines

    def with_several_seeds(self) -> list[RunEntry]:
        """Return the runs with two or more complete seeds."""
        return [entry for entry in self.entries if "together" in entry.row]

    def groups(self) -> list[list[RunEntry]]:
        """Return the runs of each group, see :func:`serkit.lab.leaderboard.grouping.group_of`."""
        found: dict[tuple[str, ...], list[RunEntry]] = {}
        for entry in self.entries:
            found.setdefault(group_of(entry.row), []).append(entry)
        return list(found.values())


def compare(
    runs: Sequence[RunEntry], *, against: str | os.PathLike[str] | None = None, unsealed: bool = False
) -> Board:
    """Compare runs with each other. Runs whose audio is known to differ count as tested on different utterances.

    Args:
        runs: Runs from :func:`serkit.lab.measure.run_entry.read_entry`.
        against: Name or folder of the reference run. If it is the folder of another run, that run is added. By
            default each reference is the run with the highest validation UAR.
        unsealed: Whether to read that run even if it was edited, contradicts itself, or has no seal.

    Raises:
        RunError: If ``against`` is not a run, or no other run was tested on the same utterances.
    """
    note_headline_names(runs)
    reference = None if against is None else _find(runs, against, unsealed=unsealed)
    if reference is not None and all(entry is not reference for entry in runs):
        runs = [*runs, reference]
    apart = tell_apart(runs)
    if reference is not None:
        reference = next(new for new, old in zip(apart, runs, strict=True) if old is reference)
    entries = in_order(apart)
    found = families(entries, reference)
    if reference is not None:
        _check_reference(found, reference, str(against))
    return Board(
        tuple(entries),
        _headlines(entries),
        tuple(found),
        tuple(leaks(entries, found)),
        tuple(validation_pairs(entries)),
        tuple(not_comparable(entries)),
        tuple(tuple(map(tuple, groups)) for groups in differing(in_order(runs))),
        tuple(of_unknown_audio(entries)),
    )


def not_measured(runs: Sequence[RunEntry]) -> list[tuple[str, str]]:
    """Return the recipes that could not be run, and why, from ``not-measured.csv`` beside the run folders.

    Recipes that have a run are left out.

    Raises:
        RunError: If such a file has other columns, or an empty cell.
    """
    found = []
    for folder in sorted({entry.folder.parent for entry in runs}):
        path = folder / _NOT_MEASURED
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
        raise RunError(f"{str(path)!r} is damaged: expected the columns {','.join(_COLUMNS)} and no empty cell.")
    return [(recipe, why) for recipe, why in lines]


def _headlines(entries: Sequence[RunEntry]) -> frozenset[Path]:
    """Return the headline of each group with two or more eligible runs on the same utterances."""
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


def _find(runs: Sequence[RunEntry], against: str | os.PathLike[str], *, unsealed: bool) -> RunEntry:
    named = [entry for entry in runs if against in (entry.name, entry.folder.name, entry.row.get("saved_as"))]
    if named:
        return named[0]
    folder = Path(against)
    if folder.is_dir():
        found = next((entry for entry in runs if entry.folder == folder.resolve()), None)
        return found or read_entry(folder, unsealed=unsealed)
    hint = nearest(str(against), [entry.name for entry in runs]) or "."
    raise RunError(f"--against {str(against)!r}: no run has this name{hint} Name one of the runs, or a run folder.")


def _check_reference(found: Sequence[Family], reference: RunEntry, against: str) -> None:
    """Raise if no run is compared with the reference."""
    if any(family.reference is reference and family.comparisons for family in found):
        return
    answers = reference.answers
    if any(f.reference.answers and answers and f.reference.answers.digest == answers.digest
           for f in found if f.reference is not reference):  # fmt: skip
        how = "this run is speaker-independent, and the other runs on its utterances share speakers"
        if not reference.is_fair:
            how = "this run shares speakers between training and test, and the other runs on its utterances do not"
        raise RunError(f"--against {against!r}: {how}; their difference is in the table of speaker leaks.")
    labels = reference.row["labels"]
    raise RunError(
        f"--against {against!r}: no other run was tested on the same utterances and audio with the same classes "
        f"(label set {labels!r}, {reference.row['utterances']} utterances), so there is nothing to compare it with."
    )
