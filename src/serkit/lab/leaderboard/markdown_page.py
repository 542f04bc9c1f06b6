"""A leaderboard as Markdown: one table, the table with all comparisons, and the page ``docs/RESULTS.md``."""

from collections.abc import Iterable, Sequence
from typing import Any

from serkit.lab.leaderboard import table_text
from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.calibration_section import HEAD, calibration_lines, calibration_note, cells_of
from serkit.lab.leaderboard.comparisons import Family, Leak
from serkit.lab.leaderboard.grouping import group_of
from serkit.lab.leaderboard.human_row import NAME, human_cells, human_score_of, uar_text
from serkit.lab.leaderboard.markdown_text import escaped
from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.measure.run_folder import UNSEEN_CORPUS
from serkit.lab.pages.shared_text import number, uar_of
from serkit.visible_text import visible

_STAR = "\\*"
_PAGE_HEAD = f"""# Results

`make results` writes this page from the predictions in `results/`; do not edit it. All numbers are percentages.

{table_text.UAR_NOTE} WA is the share of clips predicted correctly. `docs/COMPARING.md` explains each number.

The corpora are acted: the numbers say how often a model names the emotion that an actor played. The commands that
repeat each run are at the end of this page.
"""
_HEAD = (
    "run", "protocol", "classes", "speakers", "clips", "seeds", "chance", "UAR [95 %]", "WA", "macro-F1",
    "validation UAR",
)  # fmt: skip


def as_markdown(rows: Sequence[dict[str, Any]], headlines: Sequence[bool] = ()) -> str:
    """Return one table with a row per run, in percent. Runs that share speakers are marked.

    Args:
        rows: Facts and metrics of each run, in the order of the table.
        headlines: Whether to print each run in bold; by default none is.
    """
    return _main_table([escaped(row) for row in rows], headlines)


def _main_table(rows: Sequence[dict[str, Any]], headlines: Sequence[bool] = ()) -> str:
    """Return the table of rows whose texts are escaped already."""
    bold = headlines or [False] * len(rows)
    lines = []
    for place, (row, is_bold) in enumerate(zip(rows, bold, strict=True)):
        lines.append(_cells(row, is_bold=is_bold))
        is_last = place + 1 == len(rows) or group_of(rows[place + 1]) != group_of(row)
        if is_last and (score := human_score_of(row)):
            lines.append(human_cells(row, score))
    return "\n".join([_table(_HEAD, lines), *_star_note(row["interval_over"] for row in rows), *_epoch_note(rows)])


def as_sections(board: Board) -> str:
    """Return the table of all runs and their comparisons."""
    board = escaped(board)
    parts = [_rule(board), _main(board)]
    parts += [f"## {title}\n\n{content}" for title, content in _comparisons(board)]
    return "\n\n".join(part for part in parts if part)


def as_page(board: Board, unmeasured: Sequence[tuple[str, str]] = ()) -> str:
    """Return the page ``docs/RESULTS.md``.

    It has the table of all runs, the scores of each corpus, the comparisons, calibration, recall per class, and the
    command of each run.

    Args:
        board: Runs and their comparisons.
        unmeasured: Recipes that could not be run, each with the reason.
    """
    commands = [visible(_command(entry.row)) for entry in board.entries]
    board = escaped(board)
    rows = [entry.row for entry in board.entries]
    mixed = [row for row in rows if len(row["per_corpus"]) > 1]
    sections = [
        *([("Scores per corpus", _per_corpus(mixed))] if mixed else []),
        *_comparisons(board),
        *_calibration(board),
        *([(table_text.NOT_MEASURED_TITLE, _unmeasured(escaped(unmeasured)))] if unmeasured else []),
        ("Folds, calibration, and recall per class", "\n".join(map(_details, rows))),
        ("Commands", "```\n" + "\n".join(commands) + "\n```"),
    ]
    parts = [_PAGE_HEAD.rstrip(), _rule(board), _main(board), *(f"## {title}\n\n{text}" for title, text in sections)]
    return "\n\n".join(part for part in parts if part)


def _rule(board: Board) -> str:
    return table_text.HEADLINE if board.headlines else ""


def _main(board: Board) -> str:
    return _main_table([e.row for e in board.entries], [board.is_headline(e) for e in board.entries])


def _comparisons(board: Board) -> list[tuple[str, str]]:
    """Return the title and text of each section on comparisons that is not empty."""
    sections = [
        (table_text.DIFFERENCES_TITLE, _differences(board)),
        (table_text.SEEDS_TITLE, _seeds(board.with_several_seeds())),
        (table_text.LEAK_TITLE, _leaks(board.leaks)),
        (table_text.VALIDATION_TITLE, _validation(board.validation_pairs)),
    ]
    return [(title, text) for title, text in sections if text]


def _differences(board: Board) -> str:
    found = [family for family in board.families if family.comparisons]
    notes = [table_text.uncompared_note(board), table_text.audio_note(board)]
    parts = [table_text.DIFFERENCES if found else "", *map(_family, found), *notes]
    return "\n\n".join(part for part in parts if part)


def _family(family: Family) -> str:
    head = ("run", "protocol", "UAR", "difference [95 %]", "p", "p (Holm)")
    lines = []
    for one in family.comparisons:
        row, gap = one.run.row, table_text.gap_of(one.difference, _STAR)
        p_values = table_text.p_of(one.difference.p), table_text.p_of(one.p_holm)
        lines.append((table_text.name_of(row), table_text.protocol_of(row), number(row["uar"]), gap, *p_values))
    note = _star_note(one.difference.over for one in family.comparisons)
    title = f"### {table_text.family_title(family)}\n\n{table_text.family_note(family)}\n\n"
    return title + "\n".join([_table(head, lines), *note])


def _seeds(entries: Sequence[RunEntry]) -> str:
    if not entries:
        return ""
    lines = [table_text.seeds_row(entry.row, _STAR) for entry in entries]
    notes = _star_note(entry.row["together"]["interval_over"] for entry in entries)
    notes += _epoch_note(entry.row for entry in entries)
    return "\n".join([f"{table_text.SEEDS}\n", _table(table_text.SEEDS_HEAD, lines), *notes])


def _leaks(leaks: Sequence[Leak]) -> str:
    if not leaks:
        return ""
    head = (
        "speaker-independent", "sharing speakers", "UAR", "UAR with the leak", "effect of the leak [95 %]", "p",
        "p (Holm)", "note",
    )  # fmt: skip
    lines = []
    for leak in leaks:
        fair, leaky = leak.fair.row, leak.leaky.row
        names, uars = map(table_text.name_of, (fair, leaky)), (number(fair["uar"]), number(leaky["uar"]))
        lines.append((*names, *uars, *table_text.leak_gap(leak, _STAR), table_text.leak_remark(leak)))
    note = _star_note(leak.difference.over for leak in leaks if leak.difference)
    return "\n".join([table_text.leak_note(leaks), "", _table(head, lines), *note])


def _validation(pairs: Sequence[tuple[RunEntry, RunEntry]]) -> str:
    if not pairs:
        return ""
    lines = table_text.validation_rows(pairs)
    notes = _epoch_note(entry.row for pair in pairs for entry in pair)
    return "\n".join([f"{table_text.VALIDATION}\n", _table(table_text.VALIDATION_HEAD, lines), *notes])


def _calibration(board: Board) -> list[tuple[str, str]]:
    """Return the section on calibration, if it has a run to show."""
    lines = calibration_lines(board)
    return [("Calibration", f"{calibration_note(lines)}\n\n{_table(HEAD, map(cells_of, lines))}")] if lines else []


def _unmeasured(rows: Sequence[tuple[str, str]]) -> str:
    return f"{table_text.NOT_MEASURED}\n\n{_table(table_text.NOT_MEASURED_HEAD, rows)}"


def _command(run: dict[str, Any]) -> str:
    if run["protocol"] == UNSEEN_CORPUS:
        corpora = ",".join(run["corpora"])
        model = f"{run['model']}.onnx"
        made = f"# {model}: serkit train {run['model']} --data DIR -o RUN; serkit export RUN -o {model}"
        return f"serkit evaluate {model} --corpora {corpora} --data DIR --out runs/{run['name']}  {made}"
    return f"serkit evaluate {run['name']} --data DIR --out runs/{run['name']}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))


def _star_note(kinds: Iterable[str]) -> list[str]:
    """Return the lines that explain the star, if any interval has one."""
    return [] if all(kind == "speakers" for kind in kinds) else ["", f"{_STAR} {table_text.STAR}"]


def _epoch_note(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the lines that explain the epoch mark, if any row has one."""
    note = table_text.epoch_note(rows)
    return ["", note] if note else []


def _cells(row: dict[str, Any], *, is_bold: bool) -> list[str]:
    protocol = table_text.protocol_of(row)
    protocol += "" if row["is_speaker_independent"] else f" **({table_text.SHARES_SPEAKERS})**"
    protocol += "".join(f" ({remark})" for remark in table_text.remarks_of(row))
    name, uar = table_text.full_name_of(row), uar_of(row, _STAR)
    chance = number(table_text.chance_of(row))
    if is_bold:
        name, uar = f"**{name}**", f"**{uar}**"
    return [
        name, protocol, str(len(row["recall"])), str(row["speakers"]), str(row["utterances"]), str(len(row["seeds"])),
        chance, uar, number(row["wa"]), number(row["macro_f1"]), table_text.validation_of(row),
    ]  # fmt: skip


def _per_corpus(rows: Sequence[dict[str, Any]]) -> str:
    head = ("run", "corpus", "speakers", "clips", "UAR [95 %]", "WA", "macro-F1")
    lines = [
        (table_text.name_of(row), corpus, part["speakers"], part["utterances"], uar_of(part, _STAR), number(part["wa"]),
         number(part["macro_f1"]))
        for row in rows for corpus, part in row["per_corpus"].items()
    ]  # fmt: skip
    people = {corpus: score for row in rows for corpus in row["per_corpus"] if (score := human_score_of(row, corpus))}
    lines += [
        (NAME, corpus, score.speakers, score.utterances, uar_text(score), number(score.wa), number(score.macro_f1))
        for corpus, score in people.items()
    ]
    note = _star_note(part["interval_over"] for row in rows for part in row["per_corpus"].values())
    return "\n".join([_table(head, lines), *note])


def _details(run: dict[str, Any]) -> str:
    folds = ", ".join(f"{value:.1f}" for value in run["uar_per_fold"])
    recall = ", ".join(f"{name} {value:.1f}" for name, value in run["recall"].items())
    name = f"**{run['name']}**{table_text.unsealed_mark(run)}"
    return (
        f"- {name}: UAR per fold {folds} (mean {run['uar_fold_mean']:.1f}, standard deviation "
        f"{run['uar_fold_deviation']:.1f}); expected calibration error {run['ece']:.1f}; recall: {recall}."
    )
