"""Recordings that hold the same samples somewhere, however short and wherever they begin."""

import numpy as np
import pytest

from serkit.data.shared_runs import NotedRuns, runs_of, shared_runs
from serkit.types import FloatArray
from support.talking import RATE, talk

WHOLE = np.round(talk(1, seconds=4.0) * 32_767).astype(np.float32) / 32_768


def found(*clips: FloatArray) -> list[tuple[str, str]]:
    runs = {chr(97 + n): runs_of(clip, RATE) for n, clip in enumerate(clips)}
    return [(pair.first, pair.second) for pair in shared_runs(runs)]


@pytest.mark.parametrize("shared", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("start", [20_000, 20_001, 21_237])
def test_windows_that_share_samples_are_found_wherever_they_begin(start: int, shared: float) -> None:
    length = RATE
    one = WHOLE[start : start + length]
    other = WHOLE[start + length - round(shared * RATE) :][:length]
    assert found(one, other) == [("a", "b")]


def test_the_overlap_is_about_what_is_shared() -> None:
    (pair,) = shared_runs({"a": runs_of(WHOLE[:48_000], RATE), "b": runs_of(WHOLE[16_000:], RATE)})
    assert pair.similarity == 1
    assert pair.overlap == pytest.approx(2.0, rel=0.4)


def test_windows_that_only_touch_and_other_takes_are_not_found() -> None:
    assert found(WHOLE[:32_000], WHOLE[32_000:], talk(1, 1), talk(2), -WHOLE) == []


def test_silence_constants_and_rounding_noise_share_nothing() -> None:
    noise = np.random.default_rng(0).integers(-3, 4, 32_000).astype(np.float32) / 32_768
    for empty in (np.zeros(32_000, np.float32), np.full(32_000, 0.5, np.float32), noise, noise[:10], noise[:0]):
        assert found(empty, empty) == []


def test_what_more_than_64_recordings_hold_is_a_jingle() -> None:
    jingle = WHOLE[16_000:24_000]
    clips = {f"{n:02d}": runs_of(np.concatenate([jingle, talk(n, seconds=1.0)]), RATE) for n in range(65)}
    assert shared_runs(clips) == []
    assert len(shared_runs(dict(list(clips.items())[:64]))) == 63


def test_between_two_collections_the_first_name_is_of_the_first() -> None:
    window = runs_of(WHOLE[16_000:40_000], RATE)
    (pair,) = shared_runs({"z": window, "y": runs_of(talk(3), RATE)}, {"a": runs_of(WHOLE, RATE)})
    assert (pair.first, pair.second) == ("z", "a")
    assert shared_runs({}, {"a": window}) == shared_runs({}) == []
    assert shared_runs({"a": window, "b": NotedRuns(RATE, window.hashes[:2])}) == []
