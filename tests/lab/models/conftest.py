"""Tiny networks run on one thread: two wait for each other longer than they work."""

import pytest


@pytest.fixture(autouse=True)
def _on_one_thread(one_thread: None) -> None:
    pass
