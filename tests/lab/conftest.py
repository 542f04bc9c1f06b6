"""Fixtures of the lab's tests."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from serkit.lab.measure import pooled_metrics, run_checks
from serkit.lab.measure.intervals import bootstrap_interval
from support.tiny_encoders import write_checkpoint


@pytest.fixture(scope="module")
def quick_bootstrap() -> Iterator[None]:
    """Runs are measured with a rough interval."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooled_metrics, "bootstrap_interval", partial(bootstrap_interval, draws=50))
        patch.setattr(run_checks, "_INTERVAL_ROUNDING", 100.0)  # stored intervals may have all draws
        yield


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write tiny checkpoints, each once: ``make("hubert", norm="layer")`` gives its folder."""

    def checkpoint(family: str = "wav2vec2", **more: Any) -> Path:
        name = "-".join([family, *(f"{key}{value}" for key, value in more.items())])
        folder = tmp_path_factory.getbasetemp() / "encoders" / name
        return folder if folder.is_dir() else write_checkpoint(folder, family, **more)

    return checkpoint
