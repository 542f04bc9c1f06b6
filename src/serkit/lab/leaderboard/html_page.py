"""A leaderboard as one HTML page that loads nothing and follows the reader's light or dark mode."""

from collections.abc import Sequence
from typing import Any

from serkit.lab.leaderboard import table_text
from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.comparisons import Comparison, Family, Leak
from serkit.lab.leaderboard.human_row import NAME, human_score_of, protocol_text, uar_text
from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.pages.markup import Html, document, join, note, table, tag
from serkit.lab.pages.shared_text import count_of, number, uar_of

_STYLE = """
svg.uar, svg.gap { display: block; width: 12rem; height: 1.4rem; }
.drawn { display: flex; gap: .25rem 1rem; align-items: center; justify-content: flex-end; }
.drawn span { min-width: 10rem; }
.axis { stroke: var(--muted); stroke-width: 1; opacity: .45; }
.chance { stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 3 2; }
.span { stroke: var(--first); stroke-width: 5; opacity: .45; } .dot { fill: var(--first); }
.seen { fill: none; stroke: var(--muted); stroke-width: 1.5; }
.leaky .span { stroke: var(--second); } .leaky .dot { fill: var(--second); }
tr.headline > * { background: var(--on-good); font-weight: 700; }
.mark { display: inline-block; margin: .1rem .25rem .1rem 0; padding: 0 .45rem; border-radius: .7rem; font-size: .8rem;
  font-weight: 400; white-space: normal; }
.runs table { width: 100%; }
.runs th:first-child { width: 18rem; min-width: 14rem; white-space: normal; overflow-wrap: anywhere; }
.leaks th.text, .leaks td.text { white-space: normal; min-width: 12rem; overflow-wrap: anywhere; }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: center; } .key svg.uar { display: inline-block;
  vertical-align: middle; width: 3rem; }
@media (max-width: 40rem) { td svg.uar, td svg.gap { width: 8.5rem; }
  .drawn { flex-direction: column; align-items: flex-end; }
  .drawn span { min-width: 0; } .runs th:first-child { width: auto; min-width: 8.5rem; }
  .leaks th.text, .leaks td.text { min-width: 7.5rem; } }
"""
_INTRODUCTION = f"All numbers are recomputed from each run's predictions, in percent. {table_text.UAR_NOTE}"
_RULE = table_text.HEADLINE.replace("The bold run", "The bold, tinted run")


def as_html(board: Board, unmeasured: Sequence[tuple[str, str]] = ()) -> str:
    """Return the leaderboard as one HTML document.

    Args:
        board: Runs and their comparisons.
        unmeasured: Recipes that could not be run, each with the reason.
    """
    count = count_of(len(board.entries), "run")
    title = count if len(board.entries) == 1 else f"{count} compared"
    sections = [
        ("Runs", _groups(board)),
        (table_text.DIFFERENCES_TITLE, _differences(board)),
        (table_text.SEEDS_TITLE, _seeds(board.with_several_seeds())),
        (table_text.LEAK_TITLE, _leaks(board.leaks)),
        (table_text.VALIDATION_TITLE, _validation(board.validation_pairs)),
        (table_text.NOT_MEASURED_TITLE, _unmeasured(unmeasured)),
    ]
    opening = join(tag("h1", title), tag("p", _INTRODUCTION), tag("p", _RULE) if board.headlines else "")
    return document(f"serkit: {title}", opening, sections, style=_STYLE)


def _groups(board: Board) -> Html:
    tables = [_group(board, members) for members in board.groups()]
    rows = [entry.row for entry in board.entries]
    return join(_key(), *tables, _star_note([row["interval_over"] for row in rows]), note(table_text.epoch_note(rows)))


def _group(board: Board, members: Sequence[RunEntry]) -> Html:
    counts = [(e.row["speakers"], e.row["utterances"], len(e.row["recall"])) for e in members]
    is_alike = len(set(counts)) == 1  # an unfinished run has tested fewer
    counted = () if is_alike else ("speakers", "clips", "classes")
    head = ("run", "UAR [95 %]", "validation UAR", "WA", "macro-F1", "seeds", *counted)
    rows, looks = [], []
    for entry, more in zip(members, counts, strict=True):
        row = entry.row
        numbers = [table_text.validation_of(row), *(number(row[name]) for name in ("wa", "macro_f1"))]
        name = join(table_text.full_name_of(row), _marks(board, entry))
        uar = _with_drawing(_bar(row), uar_of(row, "*"))
        rows.append((name, uar, *numbers, len(row["seeds"]), *(() if is_alike else more)))
        looks.append(" ".join(_looks(board, entry)))
    if score := human_score_of(members[-1].row):
        about = f"{protocol_text(score)}, {score.utterances} clips, {score.speakers} speakers"
        name = join(NAME, Html("<br>"), tag("span", about, class_="note"))
        rows.append((name, uar_text(score), "", number(score.wa), number(score.macro_f1), "", *([""] * len(counted))))
        looks.append("")
    first = members[0].row
    speakers, clips, classes = counts[0]
    chance = f"chance {number(table_text.chance_of(first))}"
    shared = f", {speakers} speakers, {clips} clips, {classes} classes, {chance}" if is_alike else ""
    title = f"{', '.join(first['corpora'])}: {table_text.protocol_of(first)}"
    caption = f"label set {first['labels']}{shared}"
    return join(tag("h3", title), tag("div", table(head, rows, caption=caption, classes=looks), class_="runs"))


def _with_drawing(drawing: Html, text: str) -> Html:
    """Return a number with its drawing beside it, or above it on a phone."""
    return tag("div", drawing, tag("span", text), class_="drawn")


def _looks(board: Board, entry: RunEntry) -> list[str]:
    return ["headline"] * board.is_headline(entry) + ["leaky"] * (not entry.is_fair)


def _marks(board: Board, entry: RunEntry) -> Html:
    found = [("good", "headline")] if board.is_headline(entry) else []
    found += [] if entry.is_sealed else [("bad", "unsealed")]
    found += [] if entry.is_fair else [("bad", table_text.SHARES_SPEAKERS)]
    found += [("plain", fact) for fact in table_text.training_facts_of(entry.row)]
    found += [("warn", caution) for caution in table_text.cautions_of(entry.row)]
    marks = [tag("span", text, class_=f"mark {tone}") for tone, text in found]
    return join(Html("<br>"), *marks) if marks else Html("")


def _bar(row: dict[str, Any]) -> Html:
    """Return a drawing of UAR, its interval, chance level and validation UAR on a scale from 0 to 100 %."""
    guessed = table_text.chance_of(row)
    low, high, uar, chance = (2 * value for value in (row["uar_low"], row["uar_high"], row["uar"], guessed))
    seen = row["validation_uar"]
    label = f"UAR {row['uar']:.1f}, interval {row['uar_low']:.1f} to {row['uar_high']:.1f}, chance {guessed:.1f}"
    diamond = "" if seen is None else _diamond(2 * seen)
    return Html(
        f'<svg class="uar" viewBox="-6 0 212 24" role="img" aria-label="{label}">'
        '<path class="axis" d="M0 12H200M0 8V16M50 9V15M100 8V16M150 9V15M200 8V16"/>'
        f'<path class="chance" d="M{chance:.1f} 3V21"/><path class="span" d="M{low:.1f} 12H{high:.1f}"/>'
        f'{diamond}<circle class="dot" cx="{uar:.1f}" cy="12" r="4.5"/></svg>'
    )


def _diamond(x: float) -> str:
    return f'<path class="seen" d="M{x:.1f} 5l5 7l-5 7l-5 -7z"/>'


def _key() -> Html:
    """Return the legend of the drawings."""

    def drawn(content: str) -> Html:
        return Html(f'<svg class="uar" viewBox="0 0 60 24" aria-hidden="true">{content}</svg>')

    signs = (
        ('<path class="span" d="M8 12H52"/><circle class="dot" cx="30" cy="12" r="4.5"/>', "UAR and its 95 % interval"),
        (_diamond(30), "validation UAR"),
        ('<path class="chance" d="M30 3V21"/>', "chance level"),
    )
    scale = tag("span", "scale 0 to 100 %")
    return tag("p", *(tag("span", drawn(sign), " ", text) for sign, text in signs), scale, class_="note key")


def _differences(board: Board) -> Html:
    found = [_family(family) for family in board.families if family.comparisons]
    intro = tag("p", table_text.DIFFERENCES) if found else ""
    return join(intro, *found, note(table_text.uncompared_note(board)), note(table_text.audio_note(board)))


def _family(family: Family) -> Html:
    head = ("run", "difference [95 %]", "p", "p (Holm)", "UAR")
    reach = max(max(abs(one.difference.low), abs(one.difference.high), 0.01) for one in family.comparisons)
    rows = [_comparison_row(one, reach) for one in family.comparisons]
    looks = ["" if family.reference.is_fair else "leaky"] * len(rows)
    return join(
        tag("h3", table_text.family_title(family)),
        tag("p", table_text.family_note(family)),
        tag("div", table(head, rows, classes=looks), class_="runs"),
        _star_note([one.difference.over for one in family.comparisons]),
    )


def _comparison_row(one: Comparison, reach: float) -> tuple[object, ...]:
    row, found = one.run.row, one.difference
    name = join(table_text.name_of(row), Html("<br>"), tag("span", table_text.protocol_of(row), class_="note"))
    drawing = _gap_bar(found.low / reach, found.value / reach, found.high / reach, table_text.gap_of(found, ""))
    gap = _with_drawing(drawing, table_text.gap_of(found, "*"))
    return name, gap, table_text.p_of(found.p), table_text.p_of(one.p_holm), number(row["uar"])


def _gap_bar(low: float, value: float, high: float, label: str) -> Html:
    """Return a drawing of a difference on a scale from -1 to 1."""
    left, middle, right = (80 + 76 * x for x in (low, value, high))
    return Html(
        f'<svg class="gap" viewBox="0 0 160 24" role="img" aria-label="difference {label}">'
        '<path class="axis" d="M4 12H156"/><path class="chance" d="M80 3V21"/>'
        f'<path class="span" d="M{left:.1f} 12H{right:.1f}"/>'
        f'<circle class="dot" cx="{middle:.1f}" cy="12" r="4.5"/></svg>'
    )


def _seeds(entries: Sequence[RunEntry]) -> Html:
    if not entries:
        return Html("")
    rows = [table_text.seeds_row(entry.row, "*") for entry in entries]
    return join(
        tag("p", table_text.SEEDS),
        table(table_text.SEEDS_HEAD, rows),
        _star_note([entry.row["together"]["interval_over"] for entry in entries]),
        note(table_text.epoch_note([entry.row for entry in entries])),
    )


def _leaks(leaks: Sequence[Leak]) -> Html:
    if not leaks:
        return Html("")
    head = (
        "speaker-independent", "sharing speakers", "effect of the leak [95 %]", "p", "p (Holm)", "UAR", "with the leak",
    )  # fmt: skip
    rows = []
    for leak in leaks:
        fair, leaky = leak.fair.row, leak.leaky.row
        remark = table_text.leak_remark(leak)
        below = join(Html("<br>"), tag("span", remark, class_="note")) if remark else ""
        names = join(table_text.name_of(fair), below), table_text.name_of(leaky)
        rows.append((*names, *table_text.leak_gap(leak, "*"), number(fair["uar"]), number(leaky["uar"])))
    return join(
        tag("p", table_text.leak_note(leaks)),
        tag("div", table(head, rows, texts=(0, 1)), class_="leaks"),
        _star_note([leak.difference.over for leak in leaks if leak.difference]),
    )


def _validation(pairs: Sequence[tuple[RunEntry, RunEntry]]) -> Html:
    if not pairs:
        return Html("")
    return join(
        tag("p", table_text.VALIDATION),
        table(table_text.VALIDATION_HEAD, table_text.validation_rows(pairs), texts=(0, 1)),
        note(table_text.epoch_note([entry.row for pair in pairs for entry in pair])),
    )


def _unmeasured(rows: Sequence[tuple[str, str]]) -> Html:
    if not rows:
        return Html("")
    return join(tag("p", table_text.NOT_MEASURED), table(table_text.NOT_MEASURED_HEAD, rows, texts=(0, 1)))


def _star_note(kinds: Sequence[str]) -> Html:
    """Return the explanation of the star, if any interval has one."""
    return note(f"* {table_text.STAR}" if any(kind != "speakers" for kind in kinds) else "")
