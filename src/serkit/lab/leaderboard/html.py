"""A leaderboard as one HTML page that loads nothing and follows the reader's light or dark mode."""

from collections.abc import Sequence
from typing import Any

from serkit.lab.leaderboard import words
from serkit.lab.leaderboard.board import Board
from serkit.lab.leaderboard.pairs import Comparison, Family, Leak
from serkit.lab.leaderboard.rows import RunEntry
from serkit.lab.pages.markup import STYLE, Html, join, table, tag

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # a browser holds the page to loading nothing
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


def as_html(board: Board, unmeasured: Sequence[tuple[str, str]] = ()) -> str:
    """Return the leaderboard as one document.

    Args:
        board: The runs.
        unmeasured: Recipes that could not be run, and why.
    """
    parts = [
        ("Runs", _groups(board)),
        ("Differences on the same clips", _families(board)),
        (words.TOGETHER_TITLE, _together(board.of_several_seeds())),
        ("What the leak is worth", _leaks(board.leaks)),
        ("What validation on the same speakers promises", _promises(board.promises)),
        ("Not measured", _unmeasured(unmeasured)),
    ]
    shown = [(title, content) for title, content in parts if content]
    links = [tag("a", title, href=f"#{_anchor(title)}") for title, _ in shown]
    title = "1 run" if len(board.entries) == 1 else f"{len(board.entries)} runs side by side"
    body = join(
        tag("h1", title),
        tag("p", _introduction(board)),
        tag("nav", *links, aria_label="Sections") if len(links) > 1 else "",
        *(tag("section", tag("h2", name), content, id=_anchor(name)) for name, content in shown),
    )
    head = join(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", f"serkit: {title}"),
        tag("style", Html(STYLE + _STYLE)),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>{body}</main></body></html>\n'


def _introduction(board: Board) -> str:
    text = (
        "Computed again from each run's predictions, in percent. UAR is recall averaged over the classes present in "
        "the reference, folds pooled, mean over seeds; its 95 % interval is a bootstrap over speakers. "
    )
    return text + (words.HEADLINE.replace("A bold run", "A bold, tinted run") if board.headlines else "")


def _groups(board: Board) -> Html:
    tables = [_group(board, members) for members in board.groups()]
    rows = [entry.row for entry in board.entries]
    return join(_key(), *tables, _note([row["interval_over"] for row in rows]), _epoch_note(rows))


def _group(board: Board, members: Sequence[RunEntry]) -> Html:
    counts = [(e.row["speakers"], e.row["utterances"], len(e.row["recall"])) for e in members]
    is_alike = len(set(counts)) == 1  # an unfinished run has fewer
    counted = () if is_alike else ("speakers", "clips", "classes")
    head = ("run", "UAR [95 %]", "validation UAR", "WA", "macro-F1", "seeds", *counted)
    rows, looks = [], []
    for entry, more in zip(members, counts, strict=True):
        row = entry.row
        numbers = [words.validation_of(row), *(words.number(row[name]) for name in ("wa", "macro_f1"))]
        measured = _drawn(_bar(row), words.uar_of(row, "*"))
        name = join(words.full_name_of(row), _marks(board, entry))
        rows.append((name, measured, *numbers, len(row["seeds"]), *(() if is_alike else more)))
        looks.append(" ".join(_looks(board, entry)))
    first = members[0].row
    speakers, clips, classes = counts[0]
    shared = f", {speakers} speakers, {clips} clips, {classes} classes" if is_alike else ""
    title = f"{', '.join(first['corpora'])}: {words.protocol_of(first)}"
    caption = f"label set {first['labels']}{shared}"
    return join(tag("h3", title), tag("div", table(head, rows, caption=caption, classes=looks), class_="runs"))


def _drawn(drawing: Html, text: str) -> Html:
    """Return a number in its drawing's cell, beside it or, on a phone, below."""
    return tag("div", drawing, tag("span", text), class_="drawn")


def _looks(board: Board, entry: RunEntry) -> list[str]:
    return ["headline"] * board.is_headline(entry) + ["leaky"] * (not entry.is_fair)


def _marks(board: Board, entry: RunEntry) -> Html:
    found = [("good", "headline")] if board.is_headline(entry) else []
    found += [] if entry.is_fair else [("bad", "shares speakers")]
    found += [("plain", fact) for fact in words.facts_of(entry.row)]
    found += [("warn", caution) for caution in words.cautions_of(entry.row)]
    marks = [tag("span", text, class_=f"mark {tone}") for tone, text in found]
    return join(Html("<br>"), *marks) if marks else Html("")


def _bar(row: dict[str, Any]) -> Html:
    """Draw UAR, its interval, chance and validation UAR on a scale from 0 to 100 %."""
    low, high, uar, chance = (2 * value for value in (row["uar_low"], row["uar_high"], row["uar"], _chance(row)))
    seen = row["validation_uar"]
    label = f"UAR {row['uar']:.1f}, interval {row['uar_low']:.1f} to {row['uar_high']:.1f}, chance {_chance(row):.1f}"
    diamond = "" if seen is None else _diamond(2 * seen)
    return Html(
        f'<svg class="uar" viewBox="-6 0 212 24" role="img" aria-label="{label}">'
        '<path class="axis" d="M0 12H200M0 8V16M50 9V15M100 8V16M150 9V15M200 8V16"/>'
        f'<path class="chance" d="M{chance:.1f} 3V21"/><path class="span" d="M{low:.1f} 12H{high:.1f}"/>'
        f'{diamond}<circle class="dot" cx="{uar:.1f}" cy="12" r="4.5"/></svg>'
    )


def _diamond(x: float) -> str:
    return f'<path class="seen" d="M{x:.1f} 5l5 7l-5 7l-5 -7z"/>'


def _chance(row: dict[str, Any]) -> float:
    return 100 / len(row["recall"])


def _key() -> Html:
    def drawn(content: str) -> Html:
        return Html(f'<svg class="uar" viewBox="0 0 60 24" aria-hidden="true">{content}</svg>')

    signs = (
        ('<path class="span" d="M8 12H52"/><circle class="dot" cx="30" cy="12" r="4.5"/>', "UAR and its 95 % interval"),
        (_diamond(30), "validation UAR"),
        ('<path class="chance" d="M30 3V21"/>', "guessing"),
    )
    scale = tag("span", "scale 0 to 100 %")
    return tag("p", *(tag("span", drawn(sign), " ", text) for sign, text in signs), scale, class_="note key")


def _families(board: Board) -> Html:
    found = [_family(family) for family in board.families if family.comparisons]
    alone = words.alone_words(board)
    intro = tag("p", words.comparing_words()) if found else ""
    return join(intro, *found, tag("p", alone, class_="note") if alone else "")


def _family(family: Family) -> Html:
    head = ("run", "difference [95 %]", "p", "p (Holm)", "UAR")
    reach = max(max(abs(one.difference.low), abs(one.difference.high), 0.01) for one in family.comparisons)
    rows = [_compared(one, reach) for one in family.comparisons]
    looks = ["" if family.reference.is_fair else "leaky"] * len(rows)
    return join(
        tag("h3", words.family_title(family)),
        tag("p", words.family_words(family)),
        tag("div", table(head, rows, classes=looks), class_="runs"),
        _note([one.difference.over for one in family.comparisons]),
    )


def _compared(one: Comparison, reach: float) -> tuple[object, ...]:
    row, found = one.run.row, one.difference
    name = join(words.name_of(row), Html("<br>"), tag("span", words.protocol_of(row), class_="note"))
    bar = _gap_bar(found.low / reach, found.value / reach, found.high / reach, words.gap_of(found, ""))
    p_values = words.p_of(found.p), words.p_of(one.p_holm)
    return name, _drawn(bar, words.gap_of(found, "*")), *p_values, words.number(row["uar"])


def _gap_bar(low: float, value: float, high: float, label: str) -> Html:
    """Draw a difference on a scale from -1 to 1."""
    left, middle, right = (80 + 76 * x for x in (low, value, high))
    return Html(
        f'<svg class="gap" viewBox="0 0 160 24" role="img" aria-label="difference {label}">'
        '<path class="axis" d="M4 12H156"/><path class="chance" d="M80 3V21"/>'
        f'<path class="span" d="M{left:.1f} 12H{right:.1f}"/>'
        f'<circle class="dot" cx="{middle:.1f}" cy="12" r="4.5"/></svg>'
    )


def _together(entries: Sequence[RunEntry]) -> Html:
    if not entries:
        return Html("")
    rows = [words.together_of(entry.row, "*") for entry in entries]
    note = _note([entry.row["together"]["interval_over"] for entry in entries])
    chosen = _epoch_note([entry.row for entry in entries])
    return join(tag("p", words.TOGETHER), table(words.TOGETHER_HEAD, rows), note, chosen)


def _leaks(leaks: Sequence[Leak]) -> Html:
    if not leaks:
        return Html("")
    head = ("speaker-independent", "sharing speakers", "the leak [95 %]", "p", "p (Holm)", "UAR", "with the leak")
    rows = []
    for leak in leaks:
        fair, leaky, found = leak.fair.row, leak.leaky.row, leak.difference
        measured = words.signed(leaky["uar"] - fair["uar"]), "", ""
        if found and leak.p_holm is not None:
            measured = words.gap_of(found, "*"), words.p_of(found.p), words.p_of(leak.p_holm)
        remark = words.leak_remark(leak)
        note = join(Html("<br>"), tag("span", remark, class_="note")) if remark else ""
        uars = words.number(fair["uar"]), words.number(leaky["uar"])
        rows.append((join(words.name_of(fair), note), words.name_of(leaky), *measured, *uars))
    text = " ".join((words.LEAK, words.leak_words(leaks)))
    note = _note([leak.difference.over for leak in leaks if leak.difference])
    return join(tag("p", text), tag("div", table(head, rows, texts=(0, 1)), class_="leaks"), note)


def _promises(pairs: Sequence[tuple[RunEntry, RunEntry]]) -> Html:
    if not pairs:
        return Html("")
    head = ("run", "validated on", "validation UAR", "test UAR", "promised too much")
    rows = [
        (words.name_of(entry.row), speakers, words.validation_of(entry.row), words.number(entry.row["uar"]),
         words.promise_gap(entry))
        for pair in pairs
        for entry, speakers in zip(pair, ("new speakers", "speakers trained on"), strict=True)
    ]  # fmt: skip
    note = _epoch_note([entry.row for pair in pairs for entry in pair])
    return join(tag("p", words.PROMISE), table(head, rows, texts=(0, 1)), note)


def _unmeasured(rows: Sequence[tuple[str, str]]) -> Html:
    if not rows:
        return Html("")
    return join(tag("p", words.NOT_MEASURED), table(("recipe", "why"), rows, texts=(0, 1)))


def _note(kinds: Sequence[str]) -> Html:
    is_starred = any(kind != "speakers" for kind in kinds)
    return tag("p", f"* {words.STAR}", class_="note") if is_starred else Html("")


def _epoch_note(rows: Sequence[dict[str, Any]]) -> Html:
    note = words.epoch_note(rows)
    return tag("p", note, class_="note") if note else Html("")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
