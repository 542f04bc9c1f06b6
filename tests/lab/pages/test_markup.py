"""HTML pages of leaderboard and report."""

import re

from serkit.lab.pages.markup import Html, document, note, tag


def test_a_document_links_the_sections_that_have_content() -> None:
    page = document("t", tag("h1", "t"), [("A, b", Html("x")), ("empty", Html("")), ("C", Html("y"))])
    assert re.findall(r'<a href="#([^"]*)">([^<]*)</a>', page) == [("a-b", "A, b"), ("c", "C")]
    assert re.findall(r'<section id="([^"]*)"><h2>([^<]*)</h2>', page) == [("a-b", "A, b"), ("c", "C")]


def test_a_document_with_one_section_needs_no_links() -> None:
    assert "<nav" not in document("t", Html(""), [("A", Html("x"))])


def test_a_document_loads_nothing_and_plays_embedded_audio_only_if_it_has_some() -> None:
    silent, audible = (document("t", Html(""), [], has_audio=has_audio) for has_audio in (False, True))
    assert "default-src 'none'; style-src 'unsafe-inline'\">" in silent
    assert 'media-src data:">' in audible


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "<b>", tag("i", "&")) == "<p>&lt;b&gt;<i>&amp;</i></p>"
    assert document("<t>", Html(""), []).count("<title>&lt;t&gt;</title>") == 1


def test_a_note_without_text_is_nothing() -> None:
    assert (note(""), note("x")) == ("", '<p class="note">x</p>')
