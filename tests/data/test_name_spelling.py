"""Names that are one to a reader, and names that say nothing."""

import unicodedata
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.data.corpora import corpus_names, get_corpus
from serkit.data.name_spelling import names_spelled_alike, says_nothing, spelling_key
from serkit.visible_text import side_by_side

ANNA = {
    "case": "ANNA",
    "space at the end": "Anna ",
    "space": "An na",
    "hyphen": "An-na",
    "long dash": "An\u2014na",
    "underscore": "An_na",
    "dot": "An.na",
    "zero width": "An\u200bna",
    "joiner": "An\u200dna",
    "byte order mark": "\ufeffAnna",
    "soft hyphen": "An\u00adna",
    "variation selector": "An\ufe0fna",
    "override": "\u202eAnna",
    "no-break space": "An\u00a0na",
    "full width": "\uff21\uff4ena",
    "mathematical": "\U0001d400nna",
    "Cyrillic A": "\u0410nna",
    "Cyrillic a": "Ann\u0430",
    "Greek A": "\u0391nna",
    "Greek in capitals": "\u0391\u039d\u039d\u0391",
}
CYRILLIC = "".join(map(chr, (*range(0x430, 0x450), 0x451, 0x454, 0x456, 0x457, 0x491, 0x493, 0x49B, 0x4AF, 0x4BB)))


@pytest.mark.parametrize("name", ANNA.values(), ids=ANNA)
def test_a_name_that_reads_as_anna_is_anna_and_is_shown_to_differ(name: str) -> None:
    assert names_spelled_alike([f"own/{name}", "own/Anna", "own/Ben"]) == [tuple(sorted((f"own/{name}", "own/Anna")))]
    one, two = side_by_side(("own/Anna", f"own/{name}"))
    assert one == "'own/Anna'"
    assert two != one
    assert two.isascii() or "\u2014" in two  # a dash is seen


@pytest.mark.parametrize("name", ["own/Anna /1", "own/An-na/01", "OWN/anna/1"])
def test_each_part_of_a_path_counts(name: str) -> None:
    assert spelling_key(name) == spelling_key("own/Anna/1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1"), ("anna!", "anna"), ("(anna)", "anna"),
        ("01", "1"), ("007", "7"), ("s01", "s1"), ("spk_1", "spk1"), ("1-1", "1_1"), ("1-1", "1.1"), ("1-1", "1 - 1"),
        ("0", "00"), ("\u0661", "1"), ("s1-02", "s1_2"), ("O'Brien", "O\u2019Brien"), ("O\u00b4Brien", "OBrien"),
        ("Jos\u00e9", "Jose\u0301"), ("\u0130pek", "ipek"), ("Wei\u00df", "WEISS"), ("\u041c\u04200", "MP0"),
        ("\u0415\u0308va", "\u00cbva"), ("i\u03bdan", "ivan"), ("\u03a1\u03bf\u03c5", "POY"), ("s\u0456\u0455", "sis"),
    ],
)  # fmt: skip
def test_names_that_are_one_to_a_reader_have_one_key(one: str, other: str) -> None:
    assert spelling_key(f"own/{one}") == spelling_key(f"own/{other}")


@pytest.mark.parametrize(
    "names",
    [
        ("1-1", "11", "1-11"), ("1", "10", "100", "101"), ("Müller", "Muller", "Mueller"), ("Łukasz", "Lukasz"),
        ("Żak", "Zak", "Źak"), ("王芳", "王方", "王房"), ("Анна", "Алла", "Инна"), ("Ева", "Ёва"), ("Юлия", "Юлий"),
        ("Άννα", "Άλλα"), ("a/b", "a-b"), ("Anna", "Ann", "Hanna"), ("김민수", "김민서"), ("Øre", "Ore"), ("し", "ち"),
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_names_that_a_reader_tells_apart_have_two_keys(names: tuple[str, ...]) -> None:
    assert len({spelling_key(f"own/{name}") for name in names}) == len(names)


def test_the_corpus_before_the_slash_counts_as_it_is() -> None:
    assert spelling_key("ravdess-song/1") != spelling_key("ravdesssong/1")
    assert spelling_key("emodb/03") != spelling_key("ravdess/03")


@given(st.text(st.sampled_from(CYRILLIC), max_size=4), st.text(st.sampled_from(CYRILLIC), max_size=4))
def test_different_cyrillic_names_stay_different(one: str, other: str) -> None:
    assert (spelling_key(f"own/{one}") == spelling_key(f"own/{other}")) == (one == other)


def test_no_two_cyrillic_or_greek_letters_become_one() -> None:
    for first, last in ((0x430, 0x52F), (0x3B1, 0x3C9)):
        letters = {char.casefold() for code in range(first, last + 1) if (char := chr(code)).isalpha()}
        assert names_spelled_alike(f"own/{letter}" for letter in letters) == []


@given(st.text(), st.sampled_from(("NFC", "NFD")))
def test_the_encoding_of_accents_never_counts(name: str, form: str) -> None:
    assert spelling_key(f"own/{unicodedata.normalize(form, name)}") == spelling_key(f"own/{name}")


@given(st.text(st.characters(categories=("Lu", "Ll", "Nd"))))
def test_case_never_counts_for_letters_with_two_cases(name: str) -> None:
    plain = "".join(char for char in name if char.swapcase().swapcase() == char and ord(char) < 0x250)
    assert spelling_key(f"own/{plain.upper()}") == spelling_key(f"own/{plain.lower()}")


@pytest.mark.parametrize("name", [n for n in corpus_names() if get_corpus(n).official])
def test_no_two_speakers_of_a_known_corpus_are_one_name(name: str) -> None:
    official = get_corpus(name).official
    assert official is not None
    speakers = {u.speaker for u in official()}
    assert len(speakers) == get_corpus(name).speakers
    assert names_spelled_alike(speakers) == []


def test_speakers_of_corpora_without_a_list_are_no_two_spellings_of_one() -> None:
    speakers = [f"iemocap/Ses0{session}{letter}" for session in range(1, 6) for letter in "FM"]
    speakers += [f"enterface/{n:02}" for n in range(1, 45)] + ["afew/train", "afew/validation"]
    assert names_spelled_alike(speakers) == []


def test_names_of_one_script_are_shown_as_they_are() -> None:
    assert side_by_side(("Анна", "анна")) == ("'Анна'", "'анна'")
    assert side_by_side(("Mu\u0308ller", "M\u00fcller")) == ("'Mu\\u0308ller'", "'Müller'")


def test_a_script_that_not_all_names_have_is_named() -> None:
    assert side_by_side(("Anna", "\u0410nna", "\u0391nna")) == (
        "'Anna'", "'\\u0410nna' (Cyrillic)", "'\\u0391nna' (Greek)"
    )  # fmt: skip


@given(st.lists(st.text(), min_size=2, max_size=3, unique=True))
def test_whatever_names_are_shown_no_invisible_character_is_left(names: list[str]) -> None:
    for shown in side_by_side(names):
        assert shown.isprintable()


@pytest.mark.parametrize(
    "name",
    ["", " ", "nan", "NaN", "None", "NULL", "n/a", "N/A", "<NA>", "NA", "unknown", "?", "-", "--", "\u2014", "\u200b"],
)
def test_a_name_that_stands_for_a_missing_one_says_nothing(name: str) -> None:
    assert says_nothing(name)


@pytest.mark.parametrize("name", ["Nan-Hee", "Na", "Nora", "0", "None1", "無", "01", "\U0001f600"])
def test_a_name_of_a_person_says_something(name: str) -> None:
    assert not says_nothing(name)


def test_a_thousand_names_of_one_corpus_are_told_apart_in_pairs() -> None:
    keys = [spelling_key(f"own/{n:04}") for n in range(1000)]
    assert not any(one == other for one, other in combinations(keys, 2))
