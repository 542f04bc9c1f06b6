"""A leaderboard as Markdown: the table, the comparisons, and the page ``docs/RESULTS.md``."""

from collections.abc import Iterable, Sequence
from typing import Any

from serkit.lab.leaderboard import words
from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.calibration_tables import HEAD, calibration_lines, calibration_words, cells_of
from serkit.lab.leaderboard.pairs import Family, Leak
from serkit.lab.leaderboard.rows import RunEntry
from serkit.lab.measure.run_folder import UNSEEN_CORPUS

_STAR = "\\*"
_PAGE_HEAD = """# Results

Made by `make results` from `results/*/predictions.csv`; do not edit. All in percent. UAR is recall averaged over the
classes present in the reference, folds pooled, mean over seeds; its 95 % interval is a bootstrap over speakers. WA is
the share of clips that are right. The corpora are acted: these numbers say how often a model names what an actor
played. `docs/COMPARING.md` says what each number means; the commands that make each run again stand at the end.
"""
_HEAD = (
    "run", "protocol", "classes", "speakers", "clips", "seeds", "UAR [95 %]", "WA", "macro-F1", "validation UAR",
)  # fmt: skip


def as_markdown(rows: Sequence[dict[str, Any]], headlines: Sequence[bool] = ()) -> str:
    """Return a table, speaker-dependent runs marked; UAR with its 95 % interval, all in percent.

    Args:
        rows: Of runs, in order.
        headlines: Whether each is set in bold; none by default.
    """
    bold = headlines or [False] * len(rows)
    lines = [_cells(row, is_bold=is_bold) for row, is_bold in zip(rows, bold, strict=True)]
    notes = [*_footnote(row["interval_over"] for row in rows), *_epoch_note(rows)]
    return "\n".join([_table(_HEAD, lines), *notes])


def as_sections(board: Board) -> str:
    """Return the table and every comparison of its runs."""
    parts = [_rule(board), _main(board)]
    parts += [f"## {title}\n\n{content}" for title, content in _comparisons(board)]
    return "\n\n".join(part for part in parts if part)


def as_page(board: Board, unmeasured: Sequence[tuple[str, str]] = ()) -> str:
    """Return ``docs/RESULTS.md``: table, several corpora apart, comparisons, calibration, recall per class, commands.

    Args:
        board: The runs.
        unmeasured: Recipes that could not be run, and why.
    """
    rows = [entry.row for entry in board.entries]
    mixed = [row for row in rows if len(row["per_corpus"]) > 1]
    sections = [
        *([("Each corpus of a run on several", _per_corpus(mixed))] if mixed else []),
        *_comparisons(board),
        *_calibration(board),
        *([("Not measured", _unmeasured(unmeasured))] if unmeasured else []),
        ("Folds, calibration, and recall per class", "\n".join(map(_details, rows))),
        ("Commands", "```\n" + "\n".join(map(_command, rows)) + "\n```"),
    ]
    parts = [_PAGE_HEAD.rstrip(), _rule(board), _main(board), *(f"## {title}\n\n{text}" for title, text in sections)]
    return "\n\n".join(part for part in parts if part)


def _rule(board: Board) -> str:
    return words.HEADLINE if board.headlines else ""


def _main(board: Board) -> str:
    return as_markdown([e.row for e in board.entries], [board.is_headline(e) for e in board.entries])


def _comparisons(board: Board) -> list[tuple[str, str]]:
    """Return the sections that there is something to say in: title and text."""
    found = [family for family in board.families if family.comparisons]
    texts = [words.comparing_words()] if found else []
    texts += [_family(family) for family in found]
    alone = words.alone_words(board)
    differences = "\n\n".join([*texts, *([alone] if alone else [])])
    sections = [
        ("Differences on the same clips", differences),
        (words.TOGETHER_TITLE, _together(board.of_several_seeds())),
        ("What the leak is worth", _leaks(board.leaks) if board.leaks else ""),
        ("What validation on the same speakers promises", _promises(board.promises) if board.promises else ""),
    ]
    return [(title, text) for title, text in sections if text]


def _together(entries: Sequence[RunEntry]) -> str:
    if not entries:
        return ""
    lines = [words.together_of(entry.row, _STAR) for entry in entries]
    notes = _footnote(entry.row["together"]["interval_over"] for entry in entries)
    notes += _epoch_note(entry.row for entry in entries)
    return "\n".join([f"{words.TOGETHER}\n", _table(words.TOGETHER_HEAD, lines), *notes])


def _family(family: Family) -> str:
    head = ("run", "protocol", "UAR", "difference [95 %]", "p", "p (Holm)")
    lines = []
    for one in family.comparisons:
        row, gap = one.run.row, words.gap_of(one.difference, _STAR)
        p_values = words.p_of(one.difference.p), words.p_of(one.p_holm)
        lines.append((words.name_of(row), words.protocol_of(row), words.number(row["uar"]), gap, *p_values))
    note = _footnote(one.difference.over for one in family.comparisons)
    title = f"### {words.family_title(family)}\n\n{words.family_words(family)}\n\n"
    return title + "\n".join([_table(head, lines), *note])


def _leaks(leaks: Sequence[Leak]) -> str:
    head = (
        "speaker-independent", "sharing speakers", "UAR", "UAR with the leak", "the leak [95 %]", "p", "p (Holm)",
        "note",
    )  # fmt: skip
    lines = []
    for leak in leaks:
        fair, leaky, found = leak.fair.row, leak.leaky.row, leak.difference
        measured = words.signed(leaky["uar"] - fair["uar"]), "", ""
        if found and leak.p_holm is not None:
            measured = words.gap_of(found, _STAR), words.p_of(found.p), words.p_of(leak.p_holm)
        uars = words.number(fair["uar"]), words.number(leaky["uar"])
        lines.append((words.name_of(fair), words.name_of(leaky), *uars, *measured, words.leak_remark(leak)))
    note = _footnote(leak.difference.over for leak in leaks if leak.difference)
    text = " ".join(part for part in (words.LEAK, words.leak_words(leaks)) if part)
    return "\n".join([text, "", _table(head, lines), *note])


def _promises(pairs: Sequence[tuple[RunEntry, RunEntry]]) -> str:
    head = ("run", "validated on", "validation UAR", "test UAR", "promised too much")
    lines = []
    for pair in pairs:
        for entry, speakers in zip(pair, ("new speakers", "speakers trained on"), strict=True):
            uars = words.validation_of(entry.row), words.number(entry.row["uar"])
            lines.append((words.name_of(entry.row), speakers, *uars, words.promise_gap(entry)))
    notes = _epoch_note(entry.row for pair in pairs for entry in pair)
    return "\n".join([f"{words.PROMISE}\n", _table(head, lines), *notes])


def _calibration(board: Board) -> list[tuple[str, str]]:
    """Return the section on probabilities, where some run that it shows has them to be measured."""
    lines = calibration_lines(board)
    return [("Calibration", f"{calibration_words(lines)}\n\n{_table(HEAD, map(cells_of, lines))}")] if lines else []


def _unmeasured(rows: Sequence[tuple[str, str]]) -> str:
    return f"{words.NOT_MEASURED}\n\n{_table(('recipe', 'why'), rows)}"


def _command(run: dict[str, Any]) -> str:
    if run["protocol"] == UNSEEN_CORPUS:
        corpora = ",".join(run["corpora"])
        model = f"{run['model']}.onnx"
        made = f"# {model}: serkit train {run['model']} --data DIR -o RUN; serkit export RUN -o {model}"
        return f"serkit evaluate {model} --corpora {corpora} --data DIR --out results/{run['name']}  {made}"
    return f"serkit evaluate {run['name']} --data DIR --out results/{run['name']}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))


def _footnote(kinds: Iterable[str]) -> list[str]:
    """Explain the stars, where there is one."""
    return [] if all(kind == "speakers" for kind in kinds) else ["", f"{_STAR} {words.STAR}"]


def _epoch_note(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Explain the mark of a chosen epoch, where there is one."""
    note = words.epoch_note(rows)
    return ["", note] if note else []


def _cells(row: dict[str, Any], *, is_bold: bool) -> list[str]:
    protocol = words.protocol_of(row) + ("" if row["is_speaker_independent"] else " **(shares speakers)**")
    protocol += "".join(f" ({remark})" for remark in words.remarks_of(row))
    name, uar = words.full_name_of(row), words.uar_of(row, _STAR)
    if is_bold:
        name, uar = f"**{name}**", f"**{uar}**"
    return [
        name, protocol, str(len(row["recall"])), str(row["speakers"]), str(row["utterances"]), str(len(row["seeds"])),
        uar, words.number(row["wa"]), words.number(row["macro_f1"]), words.validation_of(row),
    ]  # fmt: skip


def _per_corpus(rows: Sequence[dict[str, Any]]) -> str:
    head = ("run", "corpus", "speakers", "clips", "UAR [95 %]", "WA", "macro-F1")
    lines = [
        (row["name"], corpus, part["speakers"], part["utterances"], words.uar_of(part, _STAR),
         words.number(part["wa"]), words.number(part["macro_f1"]))
        for row in rows for corpus, part in row["per_corpus"].items()
    ]  # fmt: skip
    note = _footnote(part["interval_over"] for row in rows for part in row["per_corpus"].values())
    return "\n".join([_table(head, lines), *note])


def _details(run: dict[str, Any]) -> str:
    folds = ", ".join(f"{value:.1f}" for value in run["uar_per_fold"])
    recall = ", ".join(f"{name} {value:.1f}" for name, value in run["recall"].items())
    return (
        f"- **{run['name']}**: UAR per fold {folds} (mean {run['uar_fold_mean']:.1f}, "
        f"deviation {run['uar_fold_deviation']:.1f}); expected calibration error {run['ece']:.1f}; recall: {recall}."
    )
