import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.spreadsheet_cells import guarded, unguarded

RISKY = st.text(alphabet="='+-@\t\r\n,; \"a1.\uff1d")


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", " =1", "-", "=", "'=1"]
)
def test_a_formula_is_guarded(cell: str) -> None:
    assert guarded(cell) != cell
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize("cell", ["a;=1", 'a",=1', "a\n=1", "a\t@x", "a,+x"])
def test_a_formula_after_a_separator_is_guarded(cell: str) -> None:
    """A program with another separator than the file's begins a cell there."""
    assert guarded(cell) == re.sub(r"([=@+])", r"'\1", cell, count=1)
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize(
    "cell", ["-0.5", "+3", "-1e-05", "1.5", "-.5", "", "anger", "a-b", "03-01-01.wav", "'tis", "a=b"]
)
def test_numbers_and_names_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell
    assert unguarded(cell) == cell


@given(RISKY)
def test_every_text_comes_back(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell


@given(RISKY)
def test_no_formula_is_left(cell: str) -> None:
    found = guarded(cell)
    is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", found)
    assert is_number or not re.search('(^|[,;\t\r\n"]) *[=+@\uff1d-]', found)
