import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.visible_text import in_markdown, visible

PLANTED = {
    "escape": "\x1b[31m",
    "bell": "\x07",
    "C1": "\x9b31m",
    "override": "\u202e",
    "isolate": "\u2067",
    "zero width": "\u200b",
    "byte order mark": "\ufeff",
    "line separator": "\u2028",
    "undecodable byte": "\udcff",
    "return": "\r",
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_hides_or_commands_is_written_out(planted: str) -> None:
    found = visible(f"a{planted}b")
    assert found.isprintable()
    assert found.startswith("a\\u")
    assert found.endswith("b")


@given(st.text())
def test_no_control_and_no_direction_is_ever_left(text: str) -> None:
    left = {unicodedata.category(char) for char in visible(text) if char not in "\u200c\u200d"}
    assert not left & {"Cc", "Cs", "Zl", "Zp", "Cf"}


@pytest.mark.parametrize("text", ["Übung (2).wav", "愤怒", "می‌خواهم", "👩‍🔬", "a b'c\"d", ""])
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


def test_a_joiner_between_latin_letters_is_written_out() -> None:
    assert visible("an\u200dger") == "an\\u200dger"


def test_a_document_keeps_its_lines() -> None:
    assert visible("a\n\tb\r\n", keep="\n\t") == "a\n\tb\\u000d\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", "a\\|b"),
        ("`rm`", "\\`rm\\`"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("[x](http://y)", "\\[x\\](http:&#47;/y)"),
        ("**x**", "\\*\\*x\\*\\*"),
        ("_x_", "\\_x\\_"),
        ("@everyone", "&#64;everyone"),
        ("a\nb", "a\\u000ab".replace("\\u", "\\\\u")),
        ("emodb-loso_crnn+train.lr-1", "emodb-loso_crnn+train.lr-1"),
    ],
)
def test_no_name_is_markup_in_markdown(name: str, shown: str) -> None:
    assert in_markdown(name) == shown
