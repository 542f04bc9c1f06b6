"""What people reach on the same labels, for the rows beside the runs."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from serkit.data.corpora import corpus_names, get_corpus
from serkit.data.corpora.corpus_definition import HumanScore
from serkit.lab.leaderboard.table_text import chance_of
from serkit.lab.pages.shared_text import number, uar_of
from serkit.labels import LABEL_SETS

NAME = "one listener"


def human_score_of(row: Mapping[str, Any], corpus: str = "") -> HumanScore | None:
    """Return how well listeners name the classes of a run's reference; None where nobody asked them.

    Args:
        row: Facts and metrics of the run.
        corpus: One corpus of a run on several; by default the run's only test corpus.
    """
    corpora = row.get("test_corpora") or row["corpora"]
    name = corpus or (corpora[0] if len(corpora) == 1 else "")
    if name not in corpus_names():
        return None
    known = get_corpus(name)
    return known.human if known.human and _are_acted_labels(row, known.counts) else None


def _are_acted_labels(row: Mapping[str, Any], emotions: Collection[str]) -> bool:
    """Whether the classes of a run's reference are the acted emotions of a corpus, perhaps with others beside them."""
    labels = LABEL_SETS.get(row["labels"]) if isinstance(row["labels"], str) else None
    return not (labels and labels.fact) and set(emotions) <= set(row["recall"])


def protocol_text(score: HumanScore) -> str:
    """Return what the listeners were asked, for the column of protocols."""
    return f"{score.answers} answers about {score.heard}"


def human_cells(row: Mapping[str, Any], score: HumanScore) -> list[str]:
    """Return the cells of the main table's row, below the runs that it stands beside."""
    return [
        NAME, protocol_text(score), str(len(row["recall"])), str(score.speakers), str(score.utterances), "",
        number(chance_of(dict(row))), uar_text(score), number(score.wa), number(score.macro_f1), "",
    ]  # fmt: skip


def uar_text(score: HumanScore) -> str:
    """Return the UAR of one listener with its interval over speakers."""
    return uar_of(asdict(score) | {"interval_over": "speakers"})
