"""What the tables of a leaderboard say of a run, in words and numbers; Markdown and HTML say the same."""

from collections.abc import Iterable
from typing import Any

from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.pairs import Family, Leak
from serkit.lab.leaderboard.rows import RunEntry, across
from serkit.lab.measure.significance import Difference

STAR = "resampled over utterances within speakers: it tells nothing about new speakers."
CHOSEN = "^"
EPOCH = "the epoch was chosen on the same validation answers, in some fit at least, so that it is too high."
HEADLINE = (
    "Runs of one group (corpora, label set, protocol) stand together, by validation UAR. A bold run is its group's "
    "headline: the highest validation UAR among complete, speaker-independent runs on the same clips, where there are "
    "two or more to choose among. Validation on speakers that are trained on (validation: random, sentences) chooses "
    "nothing, nor does the test. Validation is pooled over folds, as the test is; ~ marks a mean over folds, of runs "
    "that kept no more, which chooses nothing either."
)
LEAK = (
    "The same model and settings, but where the note says otherwise, on new speakers and on speakers that are also "
    "trained on. The difference is what the leak adds to the number, not an improvement."
)
NO_TWIN = "another model or settings: no run without the leak has the same, and this is the reference on these clips"
OTHER_CLIPS = "tested on other clips of these corpora"
PROMISE = (
    "The same model, settings and test speakers, validated on new speakers and on speakers that are trained on. What "
    "validation promises is its UAR minus the test's."
)
TOGETHER = (
    "Of runs with several seeds: the mean over seeds, which says what one fit is worth, and what an ensemble of the "
    "seeds answers, the mean of their probabilities. Its validation UAR chooses it or not, as it does any recipe."
)
TOGETHER_TITLE = "What the seeds of a run answer together"
TOGETHER_HEAD = ("run", "seeds", "UAR, mean", "UAR together [95 %]", "validation UAR, mean", "together")
NOT_MEASURED = "Recipes that come with serkit and could not be run for these tables."
_VALIDATED = {
    "sentences": "validated on held-out sentences of training speakers",
    "random": "validated on training speakers",
}


def name_of(row: dict[str, Any]) -> str:
    """Return the name of a run, and whether it is unfinished."""
    return str(row["name"]) + ("" if row["complete"] else " (unfinished)")


def full_name_of(row: dict[str, Any]) -> str:
    """Return the name of a run, and the one that it was saved under once more."""
    return name_of(row) + (f" (saved as {row['saved_as']})" if row.get("saved_as") else "")


def protocol_of(row: dict[str, Any]) -> str:
    """Return the protocol in words, with the corpora trained and tested on where they differ."""
    sides = across(row)
    return str(row["protocol"]).replace("_", " ") + (f", {sides}" if sides else "")


def remarks_of(row: dict[str, Any]) -> list[str]:
    """Return what sets a run apart from others of its protocol, but for shared speakers."""
    return facts_of(row) + cautions_of(row)


def facts_of(row: dict[str, Any]) -> list[str]:
    """Return those remarks that only say how it was trained."""
    found = [f"{row['train_speakers']} training speakers"] if row.get("train_speakers") else []
    if first := row.get("pretraining"):
        found.append(f"first trained on {', '.join(first['corpora'])}")
    return found


def cautions_of(row: dict[str, Any]) -> list[str]:
    """Return those remarks for which its validation must be read with care."""
    is_read_with_care = row["validation"] in _VALIDATED and row["is_speaker_independent"]
    return [_VALIDATED[row["validation"]]] if is_read_with_care else []


def uar_of(scores: dict[str, Any], star: str) -> str:
    """Return UAR with its interval; ``star`` marks one that tells nothing about new speakers."""
    mark = "" if scores["interval_over"] == "speakers" else star
    return f"{scores['uar']:.1f} [{scores['uar_low']:.1f}, {scores['uar_high']:.1f}]{mark}"


def gap_of(found: Difference, star: str) -> str:
    """Return a difference in percent with its interval."""
    mark = "" if found.over == "speakers" else star
    return f"{signed(100 * found.value)} [{signed(100 * found.low)}, {signed(100 * found.high)}]{mark}"


def signed(value: float) -> str:
    """Return a number with its sign and one decimal; nothing is negative zero."""
    return f"{round(value, 1) + 0.0:+.1f}"


def p_of(value: float) -> str:
    """Return a p value as tables print it."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def number(value: float | None) -> str:
    """Return a percentage, or nothing."""
    return "" if value is None else f"{value:.1f}"


def validation_of(row: dict[str, Any]) -> str:
    """Return the validation UAR, marked where it is the mean over folds, and where it has chosen the epoch."""
    return _marked(row["validation_uar"], ("" if row["is_validation_pooled"] else "~") + _chosen_mark(row))


def epoch_note(rows: Iterable[dict[str, Any]]) -> str:
    """Return what the mark of a chosen epoch means; nothing where none of these rows has it."""
    return f"{CHOSEN} {EPOCH}" if any(CHOSEN in validation_of(row) for row in rows) else ""


def _marked(uar: float | None, marks: str) -> str:
    return number(uar) + ("" if uar is None else marks)


def _chosen_mark(row: dict[str, Any]) -> str:
    return CHOSEN if row["is_epoch_chosen"] else ""


def together_of(row: dict[str, Any], star: str) -> tuple[str, ...]:
    """Return a line of ``TOGETHER_HEAD``."""
    both, shared = row["together"], "" if row["is_speaker_independent"] else " (shares speakers)"
    seen = validation_of(row), _marked(both["validation_uar"], _chosen_mark(row))
    return name_of(row) + shared, str(len(row["seeds"])), number(row["uar"]), uar_of(both, star), *seen


def corpora_of(row: dict[str, Any]) -> str:
    """Return what was tested: corpora, or those of the test side."""
    return ", ".join(row.get("test_corpora") or row["corpora"])


def family_title(family: Family) -> str:
    """Return what the runs of a family have in common."""
    row = family.reference.row
    shared = "" if family.reference.is_fair else ", sharing speakers"
    counts = f"{row['utterances']} clips, {row['speakers']} speakers, {len(row['recall'])} classes"
    return f"{corpora_of(row)}: {counts}{shared}"


def family_words(family: Family) -> str:
    """Return what the reference is, why, and how p was corrected."""
    row, count = family.reference.row, len(family.comparisons)
    seen = "" if row["validation_uar"] is None else f", validation UAR {validation_of(row)}"
    made = "1 comparison was made, so p needs no correction." if count == 1 else (
        f"{count} comparisons were made; the last column is p corrected for them by Holm's method."
    )  # fmt: skip
    return f"Reference: {name_of(row)} (UAR {row['uar']:.1f}{seen}): {family.why}. {made}"


def comparing_words() -> str:
    """Return what is compared with what, and how."""
    return (
        "Runs that answered the same clips with the same classes, each minus its reference, in points of UAR. The 95 % "
        "interval is a paired bootstrap over speakers, p a two-sided swap test over speakers."
    )


def alone_words(board: Board) -> str:
    """Return one sentence on the runs that are compared with none; nothing where there is no such run among several."""
    names = [name_of(entry.row) for entry in board.alone]
    if not names or len(board.entries) < 2:
        return ""
    return f"Not compared, since no other run answered the same clips with the same classes: {', '.join(names)}."


def leak_words(leaks: Iterable[Leak]) -> str:
    """Return how the p values of the leaks were corrected."""
    count = sum(leak.difference is not None for leak in leaks)
    return f"{count} comparisons were made; the last p is corrected for them by Holm's method." if count > 1 else ""


def leak_remark(leak: Leak) -> str:
    """Return what a reader must know of a pair."""
    if leak.difference is None:
        return OTHER_CLIPS
    return "" if leak.is_twin else NO_TWIN


def promise_gap(entry: RunEntry) -> str:
    """Return validation UAR minus test UAR."""
    return signed(entry.row["validation_uar"] - entry.row["uar"])
