"""Texts that the Markdown and HTML tables of a leaderboard share: titles, notes, column names and cells."""

from collections.abc import Iterable
from typing import Any

from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.comparisons import Family, Leak
from serkit.lab.leaderboard.grouping import corpora_across
from serkit.lab.measure import one_class
from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.measure.significance import Difference
from serkit.lab.pages.shared_text import number, protocol_name, uar_of

SHARES_SPEAKERS = "shares speakers"
CHOSEN = "^"
MEAN = "~"

UAR_NOTE = (
    "UAR is recall averaged over the classes in the reference, pooled over folds and averaged over seeds. Its 95 % "
    "interval is a bootstrap over speakers."
)
STAR = "resampled over utterances within speakers: this interval does not cover new speakers."
EPOCH = (
    "at least one fit chose its epoch by the same validation predictions, so this validation UAR is optimistically "
    "biased."
)
HEADLINE = (
    "Runs are grouped by corpora, label set and protocol, and sorted by validation UAR. The bold run of a group is its "
    "headline: the run with the highest validation UAR among two or more complete, speaker-independent runs on the "
    "same clips. Test scores never choose the headline, and neither does validation on training speakers (validation: "
    "random, sentences). Validation UAR is pooled over folds, as test UAR is. A ~ marks the mean over folds of a run "
    "that did not store its validation predictions; such a run cannot be the headline."
)

DIFFERENCES_TITLE = "Differences on the same clips"
DIFFERENCES = (
    "Each run minus its reference, in points of UAR. Runs are compared only if they predicted the same clips with the "
    "same classes. The 95 % interval is a paired bootstrap over speakers; p is a two-sided swap test over speakers."
)

OTHER_AUDIO = (
    "These runs predicted utterances of the same names, but are compared only with runs of their own group, because "
    "the digests of their audio differ:"
)
UNKNOWN_AUDIO = (
    "These runs stored no digest of their audio, so it is not known whether they were tested on the same audio as the "
    "runs that they are compared with:"
)

SEEDS_TITLE = "Ensembles of a run's seeds"
SEEDS = (
    "For runs with several seeds: the mean UAR of the single seeds, and the UAR of their ensemble, which averages "
    "their probabilities. Choose between the two by validation UAR."
)
SEEDS_HEAD = (
    "run", "seeds", "mean UAR", "ensemble UAR [95 %]", "mean validation UAR", "ensemble validation UAR",
)  # fmt: skip

LEAK_TITLE = "Effect of shared speakers"
LEAK = (
    "The same model and settings, tested on new speakers and on speakers that are also in training; a note marks the "
    "exceptions. The difference is the effect of the leak, not an improvement."
)
NO_TWIN = (
    "other model or settings: no speaker-independent run has the same, so this is the reference run on these clips"
)
OTHER_CLIPS = "tested on other clips of the same corpora"

VALIDATION_TITLE = "Validation on training speakers"
VALIDATION = (
    "The same model, settings and test speakers, once validated on new speakers and once on training speakers. The "
    "last column is how much validation UAR overestimates test UAR."
)
VALIDATION_HEAD = ("run", "validated on", "validation UAR", "test UAR", "validation minus test")

NOT_MEASURED_TITLE = "Not measured"
NOT_MEASURED = "Recipes of serkit that could not be run for these tables."
NOT_MEASURED_HEAD = ("recipe", "reason")

_VALIDATED = {
    "sentences": "validated on held-out sentences of training speakers",
    "random": "validated on training speakers",
}


def name_of(row: dict[str, Any]) -> str:
    """Return the name of a run, with marks if it is unfinished, or not taken as measured."""
    return str(row["name"]) + ("" if row["complete"] else " (unfinished)") + unsealed_mark(row)


def unsealed_mark(row: dict[str, Any]) -> str:
    """Return the mark of a run that was edited, contradicts itself or has no seal; empty for others."""
    return f" (unsealed: {row['unsealed']})" if row.get("unsealed") else ""


def full_name_of(row: dict[str, Any]) -> str:
    """Return the name of a run, and the name of its saved copy."""
    return name_of(row) + (f" (saved as {row['saved_as']})" if row.get("saved_as") else "")


def protocol_of(row: dict[str, Any]) -> str:
    """Return the name of the protocol, with training and test corpora if they differ."""
    sides = corpora_across(row)
    return protocol_name(row["protocol"]) + (f", {sides}" if sides else "")


def remarks_of(row: dict[str, Any]) -> list[str]:
    """Return the remarks that distinguish a run from others of its protocol, except shared speakers."""
    return training_facts_of(row) + cautions_of(row)


def training_facts_of(row: dict[str, Any]) -> list[str]:
    """Return the remarks about a run's training data."""
    found = [f"{row['train_speakers']} training speakers"] if row.get("train_speakers") else []
    if pretraining := row.get("pretraining"):
        found.append(f"pretrained on {', '.join(pretraining['corpora'])}")
    return found


def cautions_of(row: dict[str, Any]) -> list[str]:
    """Return the warnings about a run that has learned nothing, or was validated on training speakers unasked."""
    found = [one_class.MARK] if row.get("is_one_class") else []
    if row["validation"] in _VALIDATED and row["is_speaker_independent"]:
        found.append(_VALIDATED[row["validation"]])
    return found


def chance_of(row: dict[str, Any]) -> float:
    """Return the UAR of guessing, in percent."""
    return 100 / len(row["recall"])


def gap_of(found: Difference, star: str) -> str:
    """Return a difference in percent with its interval; ``star`` marks an interval that does not cover new speakers."""
    mark = "" if found.over == "speakers" else star
    return f"{signed(100 * found.value)} [{signed(100 * found.low)}, {signed(100 * found.high)}]{mark}"


def signed(value: float) -> str:
    """Return a number with its sign and one decimal; zero is never negative."""
    return f"{round(value, 1) + 0.0:+.1f}"


def p_of(value: float) -> str:
    """Return a p value with three decimals."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def validation_of(row: dict[str, Any]) -> str:
    """Return validation UAR, marked if it is a mean over folds, and if it chose the epoch."""
    return _marked(row["validation_uar"], ("" if row["is_validation_pooled"] else MEAN) + _epoch_mark(row))


def epoch_note(rows: Iterable[dict[str, Any]]) -> str:
    """Return the explanation of the epoch mark; empty if no row has it."""
    return f"{CHOSEN} {EPOCH}" if any(CHOSEN in validation_of(row) for row in rows) else ""


def _marked(uar: float | None, marks: str) -> str:
    return number(uar) + ("" if uar is None else marks)


def _epoch_mark(row: dict[str, Any]) -> str:
    return CHOSEN if row["is_epoch_chosen"] else ""


def seeds_row(row: dict[str, Any], star: str) -> tuple[str, ...]:
    """Return the cells of a run under ``SEEDS_HEAD``."""
    ensemble = row["together"]
    shared = "" if row["is_speaker_independent"] else f" ({SHARES_SPEAKERS})"
    validation = validation_of(row), _marked(ensemble["validation_uar"], _epoch_mark(row))
    return name_of(row) + shared, str(len(row["seeds"])), number(row["uar"]), uar_of(ensemble, star), *validation


def validation_rows(pairs: Iterable[tuple[RunEntry, RunEntry]]) -> list[tuple[str, ...]]:
    """Return the rows of the table under ``VALIDATION_HEAD``."""
    return [
        (
            name_of(entry.row),
            speakers,
            validation_of(entry.row),
            number(entry.row["uar"]),
            signed(entry.row["validation_uar"] - entry.row["uar"]),
        )
        for pair in pairs
        for entry, speakers in zip(pair, ("new speakers", "training speakers"), strict=True)
    ]


def family_title(family: Family) -> str:
    """Return what the runs of a family share: test corpora, and numbers of clips, speakers and classes."""
    row = family.reference.row
    shared = "" if family.reference.is_fair else ", sharing speakers"
    counts = f"{row['utterances']} clips, {row['speakers']} speakers, {len(row['recall'])} classes"
    return f"{', '.join(row.get('test_corpora') or row['corpora'])}: {counts}{shared}"


def family_note(family: Family) -> str:
    """Return the reference of a family, why it was chosen, and how p values were corrected."""
    row, count = family.reference.row, len(family.comparisons)
    validation = "" if row["validation_uar"] is None else f", validation UAR {validation_of(row)}"
    corrected = "There is 1 comparison, so p needs no correction." if count == 1 else (
        f"The last column is p corrected for {count} comparisons by Holm's method."
    )  # fmt: skip
    return f"Reference: {name_of(row)} (UAR {row['uar']:.1f}{validation}): {family.why}. {corrected}"


def uncompared_note(board: Board) -> str:
    """Return a sentence that names the uncompared runs; empty if there is none, or only one run in all."""
    names = [name_of(entry.row) for entry in board.uncompared]
    if not names or len(board.entries) < 2:
        return ""
    return f"Not compared, because no other run predicted the same clips with the same classes: {', '.join(names)}."


def audio_note(board: Board) -> str:
    """Return which runs are not compared because their audio differs, and whose audio is not known; may be empty."""
    parts = []
    for groups in board.other_audio:
        names = "; ".join(", ".join(name_of(entry.row) for entry in group) for group in groups)
        parts.append(f"{OTHER_AUDIO} {names}.")
    if board.unknown_audio:
        names = ", ".join(name_of(entry.row) for entry in board.unknown_audio)
        parts.append(f"{UNKNOWN_AUDIO} {names}.")
    return " ".join(parts)


def leak_gap(leak: Leak, star: str) -> tuple[str, str, str]:
    """Return the cells of a leak's difference: with interval and p values if it was tested on the same clips."""
    if leak.difference is None or leak.p_holm is None:
        return signed(leak.leaky.row["uar"] - leak.fair.row["uar"]), "", ""
    return gap_of(leak.difference, star), p_of(leak.difference.p), p_of(leak.p_holm)


def leak_note(leaks: Iterable[Leak]) -> str:
    """Return the introduction of the table of leaks, with the correction of p values if there are several."""
    count = sum(leak.difference is not None for leak in leaks)
    corrected = f" The last p is corrected for {count} comparisons by Holm's method." if count > 1 else ""
    return LEAK + corrected


def leak_remark(leak: Leak) -> str:
    """Return the note on a pair that differs in more than the leak."""
    if leak.difference is None:
        return OTHER_CLIPS
    return "" if leak.is_twin else NO_TWIN
