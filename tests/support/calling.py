"""Calling the command line from tests; the fixture ``call`` is in ``tests/cli/conftest.py``."""

from collections.abc import Callable
from typing import NamedTuple


class Done(NamedTuple):
    """Result of a call: its exit code and its output."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


def assert_one_sentence(done: Done, *words: str) -> None:
    """Check that a command failed with exit code 2 and one line on stderr, and printed nothing."""
    assert done.out == ""
    assert done.err.startswith("serkit: ")
    assert done.err.endswith("\n")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert all(word in done.err for word in words), done.err
    assert done.code == 2
