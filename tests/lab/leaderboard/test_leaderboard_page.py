"""The leaderboard as a page of Markdown, as HTML, JSON and CSV."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from serkit.lab.leaderboard import (
    Board,
    as_csv,
    as_html,
    as_json,
    as_markdown,
    as_page,
    compare,
    read_entry,
)
from support import bare
from support.leaderboard_runs import entry, write_recipe
from support.sealed_runs import settle

LEAKY: dict[str, Any] = {"protocol": "random", "is_speaker_independent": False, "validation": "random"}
quick = pytest.mark.usefixtures("quick_bootstrap")


def everything(folder: Path) -> Board:
    """A board on which every table has something to say."""
    return compare([
        entry(folder / "fair", seen=60.0),
        entry(folder / "worse", seen=50.0, wrong=3, lr=1e-3),
        entry(folder / "loose", seen=90.0, wrong=4, validation="random"),
        entry(folder / "leaky", seen=95.0, wrong=9, **LEAKY),
        entry(folder / "two", speakers=2, corpora=("a", "b"), protocol="leave_one_corpus_out"),
    ])  # fmt: skip


# The page of results


@quick
def test_the_page_shows_each_corpus_of_a_run_on_several(tmp_path: Path) -> None:
    one, several = entry(tmp_path / "one"), entry(tmp_path / "several", speakers=4, corpora=("a", "b"))
    section = as_page(compare([one, several])).split("## Scores per corpus")[1].split("##")[0]
    assert re.findall(r"^\| several \| (\w+) \| 4 \| 32 \|", section, re.MULTILINE) == ["a", "b"]
    assert "| one |" not in section
    assert "\\* resampled over utterances" in section, "eight speakers, but four of each corpus"
    assert "## Scores per corpus" not in as_page(compare([one]))


@quick
def test_the_page_says_what_was_not_measured_and_how_a_headline_is_chosen(tmp_path: Path) -> None:
    page = as_page(everything(tmp_path), [("iemocap-crnn", "no IEMOCAP")])
    assert "| recipe | reason |\n| --- | --- |\n| iemocap-crnn | no IEMOCAP |\n" in page
    assert (
        "The bold run of a group is its headline: the run with the highest validation UAR" in page.split("| run |")[0]
    )
    assert "## Not measured" not in as_page(everything(tmp_path))


@quick
def test_the_page_tells_recall_per_class_and_calibration(tmp_path: Path) -> None:
    run = entry(tmp_path / "toy")
    page = as_page(compare([run]))
    (details,) = (line for line in page.splitlines() if line.startswith("- **toy**: UAR per fold "))
    recall = run.row["recall"]["anger"]
    assert f"calibration error {run.row['ece']:.1f}; recall: anger {recall:.1f}, fear 100.0." in details
    assert details.split("(mean")[0].count(".") == 7


@quick
def test_the_page_ends_with_the_command_of_each_run(tmp_path: Path) -> None:
    fair, unseen = entry(tmp_path / "fair"), entry(tmp_path / "unseen", protocol="unseen_corpus", model="mine")
    commands = as_page(compare([fair, unseen])).split("## Commands")[1]
    assert "serkit evaluate fair --data DIR --out runs/fair\n" in commands
    assert "serkit evaluate mine.onnx --corpora toy --data DIR --out runs/unseen " in commands


@quick
def test_every_table_has_as_many_cells_in_every_row(tmp_path: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", as_page(everything(tmp_path), [("a", "b")]), re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


@quick
def test_a_changed_prediction_changes_the_page(tmp_path: Path) -> None:
    run = entry(tmp_path / "toy", seen=None)
    before = as_page(compare([run]))
    path = run.folder / "predictions.csv"
    path.write_text(path.read_text("utf-8").replace(",anger,anger,", ",anger,fear,", 1), "utf-8")
    write_recipe(run.folder, train={"lr": 2e-3})
    path.write_text(path.read_text("utf-8").replace("0.7123,0.1438,0.1438", "0.1438,0.7123,0.1438", 1), "utf-8")
    assert as_page(compare([read_entry(settle(run.folder))])) != before


# HTML


class Reader(HTMLParser):
    """Check that tags are closed in order; collect texts, and all that could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.anchors: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag in ("script", "link", "img", "iframe", "object") or "src" in found:
            self.loads.append(tag)
        href = found.get("href")
        if href is not None:
            (self.anchors if href.startswith("#") else self.loads).append(href)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


@quick
def test_the_html_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    html = as_html(everything(tmp_path), [("iemocap-crnn", "no IEMOCAP")])
    reader = read(html)
    assert reader.loads == []
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert [anchor[1:] for anchor in reader.anchors] == reader.ids
    assert len(reader.ids) == 6
    for scheme in ("prefers-color-scheme: dark", 'name="viewport"', "max-width: 40rem"):
        assert scheme in html


@quick
def test_the_html_page_draws_each_runs_interval_and_marks_what_leaks(tmp_path: Path) -> None:
    board = everything(tmp_path)
    html = as_html(board)
    for run in board.entries:
        row = run.row
        assert f'aria-label="UAR {row["uar"]:.1f}, interval {row["uar_low"]:.1f} to {row["uar_high"]:.1f},' in html
    assert html.count('<span class="mark bad">shares speakers</span>') == 1
    assert html.count('<span class="mark good">headline</span>') == len(board.headlines) == 1
    assert html.count('<tr class="headline">') == 1
    assert '<span class="mark warn">validated on training speakers</span>' in html
    assert "resampled over utterances within speakers" in html


@quick
def test_the_html_page_has_the_numbers_of_the_markdown_page(tmp_path: Path) -> None:
    board = everything(tmp_path)
    text, page = read(as_html(board)).text, as_page(board).split("## Folds")[0]
    numbers = re.findall(
        r"[-+]?\d+\.\d \[[^\]]+\]", page.split("## Scores per corpus")[0] + page.split("## Differences")[1]
    )
    assert len(numbers) == 13
    assert all(number in text for number in numbers)


@quick
def test_a_page_of_one_run_has_one_table(tmp_path: Path) -> None:
    html = as_html(compare([entry(tmp_path / "one", seeds=(0,))]))
    assert html.count("<table>") == 1
    assert "<nav" not in html


@quick
def test_a_name_is_text_and_never_markup(tmp_path: Path) -> None:
    run = entry(tmp_path / "one", name="<b>one</b>", protocol="<script>")
    html = as_html(compare([run]))
    assert "<b>one" not in html
    assert "<script" not in html


# JSON and CSV


@quick
def test_csv_has_a_row_for_each_run_and_numbers_in_its_cells(tmp_path: Path) -> None:
    board = everything(tmp_path)
    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(as_csv(board)))}
    assert list(rows) == [run.name for run in board.entries]
    fair, worse, leaky = rows["fair"], rows["worse"], rows["leaky"]
    assert (fair["is_headline"], worse["is_headline"]) == ("1", "0")
    assert (fair["is_speaker_independent"], leaky["is_speaker_independent"]) == ("1", "0")
    assert {name: float(row["uar"]) for name, row in rows.items()} == {e.name: e.row["uar"] for e in board.entries}
    assert (fair["reference"], worse["reference"], worse["comparisons"]) == ("", "fair", "2")
    assert float(worse["difference_low"]) <= float(worse["difference"]) <= float(worse["difference_high"])
    assert 0 <= float(worse["p"]) <= float(worse["p_holm"]) <= 1
    assert float(fair["recall_anger"]) < 100
    numbers = {"uar", "uar_low", "uar_high", "wa", "macro_f1", "ece", "speakers", "utterances", "seeds", "classes"}
    assert all(float(row[name]) >= 0 for row in rows.values() for name in numbers)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in fair)


@quick
def test_json_has_the_comparisons_beside_the_numbers(tmp_path: Path) -> None:
    board = everything(tmp_path)
    rows = {row["name"]: row for row in json.loads(as_json(board))}
    assert list(rows) == [run.name for run in board.entries]
    assert rows["fair"]["is_headline"]
    assert rows["fair"]["against"] is None
    found = rows["worse"]["against"]
    assert found["reference"] == "fair"
    assert found["difference"] == pytest.approx(rows["worse"]["uar"] - rows["fair"]["uar"], abs=0.011)
    (leak,) = rows["leaky"]["leaks"]
    assert (leak["speaker_independent"], leak["is_same_recipe"]) == ("fair", True)
    assert leak["difference"] > 0
    assert rows["loose"]["validation_promise"] == pytest.approx(90.0 - rows["loose"]["uar"])
    assert rows["worse"]["validation_promise"] is None
    assert rows["two"]["per_corpus"].keys() == {"a", "b"}


@quick
def test_the_table_of_evaluate_needs_no_recipe(tmp_path: Path) -> None:
    stored = json.loads((entry(tmp_path / "toy").folder / "metrics.json").read_text("utf-8"))
    assert as_markdown([stored]).count("| toy |") == 1


def test_every_format_works_in_a_plain_installation(tmp_path: Path) -> None:
    entry(tmp_path / "a")
    entry(tmp_path / "b", wrong=3)
    code = """
import sys
from serkit.lab import leaderboard as l
board = l.compare([l.read_entry(folder) for folder in sys.argv[1:]])
print(*(len(f(board)) > 100 for f in (l.as_sections, l.as_page, l.as_html, l.as_csv, l.as_json)))
"""
    done = bare.python(code, tmp_path / "a", tmp_path / "b", without=(*bare.NOT_INSTALLED, "pydantic"))
    assert (done.stderr, done.stdout.split()) == ("", ["True"] * 5)
