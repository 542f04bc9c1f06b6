"""Fixtures of the lab's tests."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from serkit.lab import runs
from serkit.lab.metrics import bootstrap_interval


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """The same weights are promised for the same number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def quick_bootstrap() -> Iterator[None]:
    """Runs are measured with a rough interval."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "bootstrap_interval", partial(bootstrap_interval, draws=50))
        yield
