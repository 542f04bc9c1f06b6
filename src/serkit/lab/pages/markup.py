"""HTML pages of leaderboard and report: the document with its style sheet, escaped text, tables, figures and marks."""

import html
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from serkit.lab.pages.drawing import Maker, as_svg
from serkit.lab.pages.shared_text import percent
from serkit.visible_text import visible

Tone = Literal["bad", "warn", "good", "plain"]
_SIGNS = {"bad": "✗", "warn": "!", "good": "✓", "plain": "i"}  # so that color is not the only sign of the tone

# The page loads nothing, and this policy makes the browser enforce it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_AUDIO_POLICY = f"{_POLICY}; media-src data:"

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --card: #f5f7f9; --ink: #1b1f24; --muted: #5b6470; --grid: #dfe3e8;
  --right: #56b4e9; --wrong: #e69f00; --first: #0072b2; --second: #d55e00;
  --bad: #8f1d14; --on-bad: #fdecea; --warn: #694b00; --on-warn: #fff4d6; --good: #14532d; --on-good: #e6f4ea; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1d2226; --ink: #e8eaed; --muted: #a6aeb8;
  --grid: #343b42; --right: #2b79b3; --wrong: #d08200; --first: #7cc0f2; --second: #f58a4b;
  --bad: #ffb4ab; --on-bad: #4a1512; --warn: #ffd98a; --on-warn: #40300a; --good: #a6e3b8; --on-good: #15351f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem clamp(1rem, 4vw, 2.5rem) 4rem; max-width: 70rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { margin: 0 0 .4rem; font-size: 1.6rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--grid); font-size: 1.25rem; }
h3 { margin: 1.5rem 0 .4rem; font-size: 1rem; }
p { margin: .5rem 0; max-width: 46rem; }
.verdict { font-size: 1.15rem; max-width: 54rem; }
.verdict b { font-size: 1.4em; white-space: nowrap; }
.note, figcaption, caption { color: var(--muted); font-size: .875rem; }
.marks { list-style: none; margin: .75rem 0; padding: 0; display: grid; gap: .4rem; }
.marks li { display: flex; gap: .6rem; padding: .4rem .75rem; border-radius: .4rem; border-left: .3rem solid; }
.marks li > :first-child { flex: none; width: 1em; text-align: center; font-weight: 700; }
.bad { background: var(--on-bad); color: var(--bad); } .warn { background: var(--on-warn); color: var(--warn); }
.good { background: var(--on-good); color: var(--good); } .plain { background: var(--card); color: var(--muted); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem 0; font-size: .9rem; }
a { color: var(--first); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem 2rem;
  align-items: start; }
figure { margin: .75rem 0 0; } figure svg { display: block; width: 100%; max-width: 34rem; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { margin-top: .25rem; max-width: 34rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: .75rem 0; }
.tiles div { padding: .6rem .8rem; border-radius: .5rem; background: var(--card); }
.tiles dt { color: var(--muted); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles small { display: block; font-size: .8rem; font-weight: 400; color: var(--muted); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .925rem; }
caption { text-align: left; padding: .25rem 0; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid var(--grid); text-align: right; vertical-align: middle;
  white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; } .text { text-align: left; }
thead th { color: var(--muted); font-weight: 600; font-size: .85rem; }
tbody th { font-weight: 500; } tr.total > * { border-top: 1px solid var(--muted); }
tr.wrong td, tr.wrong th { background: color-mix(in srgb, var(--wrong) 14%, transparent); }
.facts td { white-space: normal; overflow-wrap: anywhere; } .facts th { vertical-align: top; }
.bar { display: inline-block; width: 4.5rem; height: .6rem; margin-right: .5rem; background: var(--grid); }
.bar i { display: block; height: 100%; background: var(--right); }
audio { display: block; height: 2.25rem; width: 16rem; max-width: 45vw; margin: .25rem 0; }
code { font-size: .9em; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--first); margin: .75rem 0 .25rem; }
@media (max-width: 40rem) { th, td { padding: .3rem .5rem; } .bar { width: 2.5rem; }
  tbody th.text { white-space: normal; overflow-wrap: anywhere; min-width: 7.5rem; }
  td .note { display: inline-block; min-width: 11rem; white-space: normal; }
  .facts table, .facts tbody, .facts tr, .facts th, .facts td { display: block; padding: 0; border: 0; }
  .facts tr { padding: .4rem 0; border-bottom: 1px solid var(--grid); } .facts th { color: var(--muted); } }
@media print { nav { display: none; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


class Html(str):
    """Text that is already markup. Any other text is escaped."""

    __slots__ = ()


def escape(content: object) -> Html:
    """Return a text as markup, with its invisible characters made visible; markup stays as it is."""
    return content if isinstance(content, Html) else Html(html.escape(visible(str(content), keep="\n\t")))


def join(*parts: object) -> Html:
    """Return the parts in a row, each escaped unless it is markup."""
    return Html("".join(map(escape, parts)))


def tag(name: str, *content: object, **attributes: str) -> Html:
    """Return an element. A trailing underscore in an attribute's name is removed (``class_``)."""
    pairs = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{pairs}>{join(*content)}</{name}>")


def document(
    title: str, opening: Html, sections: Sequence[tuple[str, Html]], *, style: str = "", has_audio: bool = False
) -> str:
    """Return a whole HTML document that loads nothing and follows the reader's light or dark mode.

    Args:
        title: Title in the browser's tab.
        opening: Content above the links to the sections.
        sections: Title and content of each section. Sections without content are left out.
        style: Style rules besides ``STYLE``.
        has_audio: Whether the page embeds audio.
    """
    shown = [(name, content) for name, content in sections if content]
    links = [tag("a", name, href=f"#{_anchor(name)}") for name, _ in shown]
    body = join(
        opening,
        tag("nav", *links, aria_label="Sections") if len(links) > 1 else "",
        *(tag("section", tag("h2", name), content, id=_anchor(name)) for name, content in shown),
    )
    policy = _AUDIO_POLICY if has_audio else _POLICY
    head = join(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("title", title),
        tag("style", Html(STYLE + style)),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>{body}</main></body></html>\n'


def _anchor(title: str) -> str:
    """Return the id of a section."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def marks(found: Iterable[tuple[Tone, object]]) -> Html:
    """Return a list of warnings and confirmations that must stand out."""
    items = [
        tag("li", tag("span", _SIGNS[tone], aria_hidden="true"), tag("span", text), class_=tone) for tone, text in found
    ]
    return tag("ul", *items, class_="marks") if items else Html("")


def note(text: object) -> Html:
    """Return a paragraph in small print; empty without text."""
    return tag("p", text, class_="note") if text else Html("")


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: object = "", texts: Collection[int] = (0,),
    classes: Sequence[str] = (),
) -> Html:  # fmt: skip
    """Return a table that scrolls sideways on a narrow page.

    Args:
        head: Column names.
        rows: Cells of each row; the first cell is the row's heading.
        caption: Text above the table.
        texts: Indices of the columns that hold text, which is aligned left; numbers are aligned right.
        classes: CSS class of each row.
    """

    def cell(place: int, content: object, kind: str, **scope: str) -> Html:
        return tag(kind, content, **({"class_": "text"} if place in texts else {}), **scope)

    body = []
    for number, row in enumerate(rows):
        cells = [cell(i, one, "td" if i else "th", **({} if i else {"scope": "row"})) for i, one in enumerate(row)]
        look = classes[number] if number < len(classes) else ""
        body.append(tag("tr", *cells, **({"class_": look} if look else {})))
    heading = tag("tr", *(cell(i, name, "th", scope="col") for i, name in enumerate(head)))
    above = tag("caption", caption) if caption else ""
    return tag("div", tag("table", above, tag("thead", heading), tag("tbody", *body)), class_="wide", tabindex="0")


def facts(rows: Iterable[tuple[str, object]]) -> Html:
    """Return a table of names and values without a heading row."""
    body = [
        tag("tr", tag("th", name, class_="text", scope="row"), tag("td", text, class_="text")) for name, text in rows
    ]
    return tag("div", tag("table", tag("tbody", *body)), class_="wide facts")


def figure(make: Maker, name: str, caption: object, label: str) -> Html:
    """Return a figure with its caption.

    Args:
        make: Function that makes the figure.
        name: Name of the figure, unique on the page.
        caption: Text below the figure.
        label: Description for screen readers.
    """
    return tag("figure", Html(as_svg(make, name, escape(label))), tag("figcaption", caption))


def bar(share: float) -> Html:
    """Return a small bar for a share from 0 to 1, and its percentage."""
    inner = tag("i", style=f"width: {100 * share:.0f}%")
    return join(tag("span", inner, class_="bar", aria_hidden="true"), percent(share))
