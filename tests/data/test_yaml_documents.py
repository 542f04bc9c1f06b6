import pytest

from serkit.data.yaml_documents import parse_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{this}: &{this} [{','.join([f'*{last}'] * 10)}]" for last, this in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- " * 400, "nested more than 100 levels"),
        ("[" * 5000, "nested more than 100 levels"),
        ("a: &x [*x]", "line 1 refers to itself"),
        (BOMB, "its aliases stand for 1234567909 values"),
        ("a: " + "1" * 5000, "the number 11111111111111111111... is too large"),
        ("a: 0x" + "f" * 5000, "too large"),
        ("a: 0x" + "f" * 20, "too large"),
        ("a: 2001-99-99", "month must be in"),
        ("a: !!timestamp x", "cannot be read"),
        ("!!python/object:os.system {}", "could not determine a constructor"),
        (b"\xff\xfea\x00", "UTF-16; save it as UTF-8"),
        (b"\x89PNG\r\n", "not text in UTF-8"),
        ("a: \0", "unacceptable character"),
        ("? [a]\n: 1", "unhashable"),
    ],
)
def test_yaml_that_would_crash_later_is_one_sentence(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("train: {}\nseeds: [0]\ntrain: {}\n", "train", "lines 1 and 3"),
        ("a:\n  lr: 1\n  'lr': 2\n", "lr", "lines 2 and 3"),
        ("a: {b: 1, b: 2}", "b", "lines 1 and 1"),
        ("- a: 1\n- b: 1\n  b: 2\n", "b", "lines 2 and 3"),
    ],
)
def test_a_key_that_is_given_twice_is_named_with_both_lines(text: str, key: str, lines: str) -> None:
    with pytest.raises(ValueError, match=f"the key '{key}' is given twice, in {lines}; remove one"):
        parse_yaml(text)


def test_aliases_and_merged_keys_are_allowed() -> None:
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\nsame: *base\n"
    assert parse_yaml(text) == {"base": {"a": 1, "b": 2}, "own": {"a": 1, "b": 3}, "same": {"a": 1, "b": 2}}


def test_an_empty_document_is_none() -> None:
    assert parse_yaml("") is None
    assert parse_yaml("# nothing\n") is None
