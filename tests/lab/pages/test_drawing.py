"""Figures show names that strangers chose, in SVG that stays valid and hides nothing."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from serkit.lab.pages.drawing import as_svg, new_figure, write_figure
from serkit.lab.pages.markup import Html, escape, tag

PLANTED = "a\x1b[31m\u202eb\u200b<script>$x$"
SHOWN = "a\\u001b[31m\\u202eb\\u200b&lt;script&gt;$x$"


def figure() -> Any:
    made = new_figure(1.0)
    made.add_subplot().set_title(PLANTED)
    return made


def is_harmless(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_figure_in_a_page_shows_what_a_name_hides() -> None:
    text = as_svg(figure, "planted", escape("label"))
    assert is_harmless(text)
    assert SHOWN in text


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_figure_in_a_file_is_valid_xml(tmp_path: Path) -> None:
    path = write_figure(figure, tmp_path / "a.svg")
    assert is_harmless(path.read_text("utf-8"))
    ET.parse(path)


def test_markup_shows_what_a_text_hides() -> None:
    assert escape(PLANTED) == SHOWN
    assert tag("td", PLANTED, title=PLANTED) == f'<td title="{SHOWN}">{SHOWN}</td>'
    assert escape(Html("<b>")) == "<b>"
