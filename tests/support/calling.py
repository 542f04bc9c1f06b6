"""Calling the command line from tests; the fixture ``call`` is in ``tests/cli/conftest.py``."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple


class Done(NamedTuple):
    """Result of a call: its exit code and its output."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


def process(*arguments: object, **environment: str) -> Done:
    """Run the command line as users do, in a process of its own."""
    command = [sys.executable, "-m", "serkit.cli", *map(str, arguments)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=os.environ | environment
    )
    return Done(done.returncode, done.stdout, done.stderr)


def assert_one_sentence(done: Done, *words: str) -> None:
    """Check that a command failed with exit code 2 and one line on stderr, and printed nothing."""
    assert done.out == ""
    assert done.err.startswith("serkit: ")
    assert done.err.endswith("\n")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert all(word in done.err for word in words), done.err
    assert done.code == 2
