"""Timelines that would be too much work are refused before the work."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from serkit.server.window_budget import TooManyWindowsError, WindowBudget
from support.serving import Running, running_service


@pytest.fixture(scope="module")
def short(embedded: Path) -> Iterator[Running]:
    """A service that takes recordings of 100 s, and so 600 s of windows."""
    with running_service("--max-recording-seconds", 100, "--rate", 0) as running:
        yield running


def noise(seconds: float, *, channels: int = 1, form: str = "FLAC") -> io.BytesIO:
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    soundfile.write(file, 0.1 * rng.standard_normal((int(seconds * 8000), channels)), 8000, format=form)
    file.seek(0)
    return file


def test_fine_hops_are_refused_by_the_length_that_they_allow(short: Running) -> None:
    address = f"{short.address}/v1/timeline"
    long = noise(80).getvalue()
    start = time.monotonic()
    answer = httpx.post(address, content=long, params={"hop": 0.1, "vad": False}, timeout=60)
    assert time.monotonic() - start < 2  # 2400 s of windows take longer
    assert (answer.status_code, answer.json()["code"]) == (422, "too-many-windows")
    assert answer.json()["detail"] == (
        "with windows of 3 s every 0.1 s, a recording may last at most 20 s; use a larger hop, or send the recording "
        "in parts."
    )
    for options in ({"hop": 0.5}, {"hop": 0.1, "window": 0.5}):
        assert httpx.post(address, content=long, params=options, timeout=60).status_code == 200
    fine = {"hop": 0.1}
    assert httpx.post(address, content=noise(19).getvalue(), params=fine, timeout=60).status_code == 200


def test_separate_channels_each_have_windows(short: Running) -> None:
    address = f"{short.address}/v1/timeline"
    four = noise(60, channels=4).getvalue()
    answer = httpx.post(address, content=four, params={"channels": "separate"}, timeout=60)
    assert answer.json()["detail"].startswith(
        "with windows of 3 s every 1 s in 4 separate channels, a recording may last at most 50 s;"
    )
    assert httpx.post(address, content=four, timeout=60).status_code == 200
    two = noise(60, channels=2).getvalue()
    assert httpx.post(address, content=two, params={"channels": "separate"}, timeout=60).status_code == 200


def test_defaults_fit_the_longest_recording() -> None:
    for settings in ({"window": 3.0, "hop": 1.0}, {"window": 3.0, "hop": 0.5}):
        assert WindowBudget(seconds=6 * 3600, **settings).longest >= 3600
    assert WindowBudget(seconds=6 * 3600, window=3.0, hop=1.0, channels=2).longest == 3600


def test_a_recording_is_counted_and_then_at_its_start_again() -> None:
    budget = WindowBudget(seconds=100, window=3.0, hop=0.3)
    with pytest.raises(TooManyWindowsError, match="at most 10 s"):
        budget.check_recording(noise(60))
    short = noise(9)
    budget.check_recording(short)
    assert short.tell() == 0


def test_what_cannot_be_read_is_left_to_the_timeline(short: Running) -> None:
    for options in ({"hop": 0.1}, {"hop": 0.1, "channels": "separate"}):
        answer = httpx.post(f"{short.address}/v1/timeline", content=b"no sound" * 99, params=options)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-format")
