"""Groups runs by corpora, label set and protocol, and puts them in the order of a table."""

from collections.abc import Sequence
from typing import Any

from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.measure.run_folder import UNSEEN_CORPUS


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
