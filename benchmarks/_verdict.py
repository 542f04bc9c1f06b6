"""Shared by the benchmarks: the speech clip, fair timing, and the line with the verdict."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from numpy.typing import NDArray

SAMPLING_RATE = 16_000
SECONDS = 3.0
_SPEECH = Path(__file__).parent.parent / "examples" / "loud_fast_high.wav"


def speech_clip() -> NDArray[np.float32]:
    """Return 3 s of speech at 16,000 Hz, shape (T,).

    It is speech, since a model that detects no speech may answer without doing its work.
    """
    samples, rate = soundfile.read(_SPEECH, dtype="float32")
    if rate != SAMPLING_RATE:
        raise ValueError(f"{_SPEECH} has {rate} Hz, expected {SAMPLING_RATE} Hz.")
    return np.resize(samples, int(SECONDS * SAMPLING_RATE))  # repeats the clip until it is long enough


def seconds_of(action: Callable[[], object]) -> float:
    """Return the duration of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median_seconds(actions: Sequence[Callable[[], object]], *, runs: Sequence[int], warm_up: int = 2) -> list[float]:
    """Time actions in turn, so that a machine that slows down slows all of them.

    Args:
        actions: Functions to time.
        runs: Number of calls of each action over all rounds; there are as many rounds as the smallest number.
        warm_up: Number of calls of each action before the timing.

    Returns:
        Median duration of each action in seconds.
    """
    for action in actions:
        for _ in range(warm_up):
            action()
    rounds = min(runs)
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, calls, taken in zip(actions, runs, times, strict=True):
            taken += [seconds_of(action) for _ in range(calls // rounds)]
    return [median(taken) for taken in times]


def detail(text: str) -> None:
    """Print details on stderr."""
    print(text, file=sys.stderr)


def at_most(name: str, ratio: float, goal: float) -> int:
    """Print the verdict on a ratio that should be at most the goal; return the exit code."""
    return _verdict(name, ratio, goal, met=ratio <= goal)


def at_least(name: str, ratio: float, goal: float) -> int:
    """Print the verdict on a ratio that should be at least the goal; return the exit code."""
    return _verdict(name, ratio, goal, met=ratio >= goal)


def _verdict(name: str, ratio: float, goal: float, *, met: bool) -> int:
    print(f"{name}: ratio {ratio:.2f}, goal {goal:.2f}, {'PASS' if met else 'MISS'}")
    return 0 if met else 1
