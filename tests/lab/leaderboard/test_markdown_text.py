"""No name in a run folder is markup, HTML, a link or a terminal's command on a page."""

from pathlib import Path
from typing import Any

import pytest

from serkit.lab.leaderboard import as_csv, as_html, as_markdown, as_page, as_sections, compare, read_entry
from serkit.lab.leaderboard.markdown_text import escaped
from support.leaderboard_runs import write_run

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
PLANTED = "=x|y`z`<script>[a](http://b)\x1b[31m\u202e"


def planted_runs(tmp_path: Path) -> Any:
    runs = [
        write_run(tmp_path / name, name=f"{PLANTED}{name}", wrong=wrong, model=PLANTED, labels=PLANTED)
        for name, wrong in (("a", 5), ("b", 3))
    ]
    return [read_entry(run) for run in runs]


def test_markdown_shows_planted_names_as_text(tmp_path: Path) -> None:
    entries = planted_runs(tmp_path)
    board = compare(entries)
    for text in (as_markdown([entries[0].row]), as_sections(board), as_page(board, [(PLANTED, PLANTED)])):
        tables, _, commands = text.partition("```\n")
        assert "=x\\|y\\`z\\`&lt;script&gt;\\[a\\](http:&#47;/b)\\\\u001b\\[31m\\\\u202e" in tables
        assert "<script>" not in tables
        assert "](http" not in tables.replace("\\](http:&#47;", "")
        assert all(char.isprintable() or char == "\n" for char in text)
        assert commands == "" or commands.rstrip().endswith("```")


def test_a_planted_name_adds_no_cell(tmp_path: Path) -> None:
    (first, *_) = planted_runs(tmp_path)
    lines = as_markdown([first.row]).splitlines()
    assert lines[2].replace("\\|", "").count("|") == lines[0].count("|")


def test_html_shows_planted_names_as_text(tmp_path: Path) -> None:
    page = as_html(compare(planted_runs(tmp_path)))
    assert "<script>" not in page
    assert "=x|y`z`&lt;script&gt;[a](http://b)\\u001b[31m\\u202e" in page
    assert all(char.isprintable() or char in "\n\t" for char in page)


def test_csv_runs_no_planted_name(tmp_path: Path) -> None:
    text = as_csv(compare(planted_runs(tmp_path)))
    assert "\n=" not in text
    assert ",=" not in text
    assert "'=x|y" in text


def test_ordinary_rows_stay_as_they_are(tmp_path: Path) -> None:
    board = compare([read_entry(write_run(tmp_path / name, name=f"emodb-loso_x+{name}.1")) for name in ("a", "b")])
    for entry, same in zip(board.entries, escaped(board).entries, strict=True):
        assert {name: value for name, value in entry.row.items() if name != "fitted"} == {
            name: value for name, value in same.row.items() if name != "fitted"
        }
