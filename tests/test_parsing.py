import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.parsing import MOST_LEVELS, parse_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_json_is_what_python_reads(content: object) -> None:
    text = json.dumps(content)
    assert parse_json(text) == parse_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested more than 100 levels"),
        ("[" * 150 + "]" * 150, "nested more than 100 levels"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested more than 100 levels"),
        ("1" * 5000, "too large"),
        ("-" + "1" * 30, "too large"),
        (b"\xff\xfe1\x00", "codec"),
        ("{", "Expecting"),
    ],
)
def test_json_that_would_crash_later_is_one_sentence(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 200


def test_json_may_be_as_deep_as_the_limit() -> None:
    assert parse_json("[" * MOST_LEVELS + "]" * MOST_LEVELS)
