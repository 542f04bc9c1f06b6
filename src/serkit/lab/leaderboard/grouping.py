"""Groups runs by corpora, label set and protocol, and puts them in the order of a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.measure.run_folder import UNSEEN_CORPUS

_SAVED = "-best"  # ending of the name of a headline's copy


def group_of(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return what the runs of one group share: corpora, label set, protocol, and training and test corpora."""
    labels = row["labels"] if isinstance(row["labels"], str) else "+".join(row["labels"])
    return "+".join(row["corpora"]), labels, row["protocol"], corpora_across(row)


def corpora_across(row: dict[str, Any]) -> str:
    """Return for example ``emodb to ravdess`` for a run tested on other corpora than it was trained on, else ``""``."""
    if not row.get("train_corpora") or not row.get("test_corpora"):
        return ""
    return f"{'+'.join(row['train_corpora'])} to {'+'.join(row['test_corpora'])}"


def is_across(row: dict[str, Any]) -> bool:
    """Whether the run was tested on corpora that it was not trained or validated on."""
    return bool(corpora_across(row)) or row["protocol"] in ("leave_one_corpus_out", UNSEEN_CORPUS)


def in_order(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Sort runs by group, random splits last; within a group by validation UAR, highest first."""

    def key(entry: RunEntry) -> tuple[Any, ...]:
        corpora, labels, protocol, sides = group_of(entry.row)
        seen = entry.row["validation_uar"]
        return corpora, labels, protocol == "random", protocol, sides, seen is None, -(seen or 0.0), entry.name

    return sorted(entries, key=key)


def without_copies(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Leave out the saved copies of headlines, and note the copy's name in the original's row as ``saved_as``."""
    kept = [entry for entry in entries if not _is_saved_copy(entry)]
    for copy in (entry for entry in entries if _is_saved_copy(entry)):
        twins = [entry for entry in kept if not _is_saved_copy(entry) and _answers_equal(entry, copy)]
        if twins:
            twins[0].row["saved_as"] = copy.name if copy.name.endswith(_SAVED) else copy.folder.name
        else:
            kept.append(copy)
    return kept


def _is_saved_copy(entry: RunEntry) -> bool:
    return entry.name.endswith(_SAVED) or entry.folder.name.endswith(_SAVED)


def _answers_equal(one: RunEntry, other: RunEntry) -> bool:
    a, b = one.answers, other.answers
    if a is None or b is None or a.digest != b.digest or one.row["fitted"] != other.row["fitted"]:
        return False
    return group_of(one.row) == group_of(other.row) and np.array_equal(a.predicted, b.predicted)
