"""Tests of window positions, with frames of 20 ms at 1,000 Hz, so that a frame is 20 samples."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.errors import SettingsError
from serkit.runtime.windows import Begin, End, Place, Placer, SpeechRule, Step

RATE, FRAME = 1_000, 0.02
RULE = SpeechRule(on=0.6, off=0.4, shortest=0.1, pause=0.5, margin=0.1, reach=0.1)


def placed(
    probabilities: Sequence[float], *, window: float = 3.0, hop: float = 1.0, rule: SpeechRule | None = RULE,
    length: int | None = None, cuts: Sequence[int] = (), least: float = 0.0,
) -> list[Step]:  # fmt: skip
    """Return all steps for frames that are pushed in parts ending at ``cuts``."""
    placer = Placer(rate=RATE, window=window, hop=hop, frame=FRAME, rule=rule, least=least)
    found: list[Step] = []
    edges = [0, *sorted(cuts), len(probabilities)]
    for first, last in itertools.pairwise(edges):
        found += placer.push(probabilities[first:last])
    return [*found, *placer.finish(len(probabilities) * 20 if length is None else length)]


def windows(steps: Sequence[Step]) -> list[tuple[int, int]]:
    return [(step.start, step.end) for step in steps if isinstance(step, Place)]


def sound(*parts: tuple[float, float]) -> list[float]:
    """Return frame probabilities from pairs of seconds and probability."""
    return [probability for seconds, probability in parts for _ in range(round(seconds / FRAME))]


def test_windows_follow_one_another_within_speech_and_the_last_one_may_be_short() -> None:
    steps = placed(sound((1, 0), (5, 1), (2, 0)))
    assert steps[0] == Begin(900)  # a tenth of a second before
    assert windows(steps) == [(900, 3900), (1900, 4900), (2900, 5900), (3900, 6100)]
    assert steps[-1] == End(900, 6100)  # and one behind


def test_speech_shorter_than_a_window_is_one_window() -> None:
    assert windows(placed(sound((1, 0), (1, 1), (2, 0)))) == [(900, 2100)]


def test_a_hop_of_a_window_cuts_speech_into_pieces() -> None:
    assert windows(placed(sound((1, 0), (7, 1), (2, 0)), hop=3)) == [(900, 3900), (3900, 6900), (6900, 8100)]


def test_a_last_window_that_would_be_too_short_to_say_anything_reaches_back() -> None:
    steps = placed(sound((1, 0), (6, 1), (2, 0)), hop=3)
    assert windows(steps) == [(900, 3900), (3900, 6900), (6600, 7100)]


def test_a_hop_longer_than_the_window_leaves_sound_out() -> None:
    assert windows(placed(sound((10, 1)), window=1, hop=3)) == [(0, 1000), (3000, 4000), (6000, 7000), (9000, 10_000)]
    assert windows(placed(sound((8, 1)), window=1, hop=3)) == [(0, 1000), (3000, 4000), (6000, 7000)]


def test_a_click_is_no_speech() -> None:
    assert placed(sound((1, 0), (0.08, 1), (2, 0))) == []


def test_a_short_pause_does_not_end_speech_and_a_long_one_does() -> None:
    short, long = (placed(sound((1, 0), (1, 1), (pause, 0), (1, 1), (2, 0))) for pause in (0.46, 0.7))
    assert [type(step) for step in short] == [Begin, Place, End]
    assert [step for step in long if not isinstance(step, Place)] == [
        Begin(900), End(900, 2100), Begin(2600), End(2600, 3800),
    ]  # fmt: skip


def test_margins_do_not_overlap() -> None:
    rule = SpeechRule(on=0.6, off=0.4, shortest=0.1, pause=0.1, margin=0.1, reach=0.1)
    steps = list(placed(sound((1, 0), (1, 1), (0.12, 0), (1, 1), (1, 0)), rule=rule))
    ends = [step for step in steps if isinstance(step, End)]
    assert [(one.start, one.end) for one in ends] == [(900, 2100), (2100, 3220)]


def test_between_the_thresholds_speech_goes_on_but_does_not_begin() -> None:
    assert placed(sound((1, 0), (2, 0.5), (1, 0))) == []
    assert placed(sound((1, 0), (1, 0.7), (2, 0.5), (1, 0)))[-1] == End(900, 4100)


def test_speech_that_the_sound_cuts_off_ends_with_it() -> None:
    steps = placed(sound((1, 0), (3.5, 1)), length=4510)
    assert windows(steps) == [(900, 3900), (1900, 4510)]
    assert steps[-1] == End(900, 4510)


def test_without_a_rule_all_sound_is_taken_for_speech() -> None:
    steps = placed(sound((4, 0)), rule=None, length=4005)
    assert steps == [Begin(0), Place(0, 3000), Place(1000, 4000), Place(2000, 4005), End(0, 4005)]
    assert placed([], rule=None, length=7) == [Begin(0), Place(0, 7), End(0, 7)]
    assert placed([], rule=None) == []


def test_a_window_shorter_than_the_model_needs_is_not_placed() -> None:
    assert placed([], rule=None, length=7, least=0.1) == [Begin(0), End(0, 7)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": 0.3, "off": 0.5},
        {"on": 1.2},
        {"off": -0.1},
        {"pause": -1.0},
        {"margin": 0.6, "pause": 0.5},
        {"reach": 0.05},
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        SpeechRule(**wrong)


REACHING = SpeechRule(on=0.6, off=0.4, shortest=0.1, pause=0.5, margin=0.1, reach=0.5)


def test_windows_may_reach_beyond_the_speech() -> None:
    """The start and end of speech stay the same."""
    steps = placed(sound((1, 0), (5, 1), (2, 0)), rule=REACHING)
    assert windows(steps) == [(500, 3500), (1500, 4500), (2500, 5500), (3500, 6500)]
    assert (steps[0], steps[-1]) == (Begin(900), End(900, 6100))
    assert windows(placed(sound((1, 0), (0.4, 1), (2, 0)), rule=REACHING)) == [(500, 1900)]
    assert windows(placed(sound((0.2, 0), (0.4, 1), (0.3, 0)), rule=REACHING)) == [(0, 900)]


def test_windows_do_not_reach_into_the_stretch_before() -> None:
    steps = placed(sound((1, 0), (1, 1), (0.6, 0), (1, 1), (1, 0)), rule=REACHING)
    assert windows(steps) == [(500, 2500), (2100, 4100)]


runs = st.lists(st.tuples(st.integers(1, 120), st.sampled_from([0.0, 0.5, 0.9])), min_size=1, max_size=12)


@given(
    runs, st.sampled_from([0.5, 1.0, 3.0]), st.sampled_from([0.1, 0.7, 1.0, 4.0]),
    st.sampled_from([RULE, REACHING, None]),
    st.lists(st.integers(0, 1200), max_size=6),
)  # fmt: skip
def test_what_is_placed_holds_for_any_sound(
    parts: list[tuple[int, float]], window: float, hop: float, rule: SpeechRule | None, cuts: list[int]
) -> None:
    probabilities = [value for count, value in parts for _ in range(count)]
    length, reach = len(probabilities) * 20, 0 if rule is None else round((rule.reach - rule.margin) * RATE)
    steps = placed(probabilities, window=window, hop=hop, rule=rule)
    inside = [cut for cut in cuts if cut <= len(probabilities)]
    assert placed(probabilities, window=window, hop=hop, rule=rule, cuts=inside) == steps
    before, start, own = 0, None, []
    for step in steps:
        if isinstance(step, Begin):
            assert start is None
            assert step.start >= before
            start, own = step.start, list[Place]()
        elif isinstance(step, Place):
            assert start is not None
            assert max(before, start - reach) <= step.start < step.end <= length
            assert step.end - step.start <= round(window * RATE)
            own.append(step)
        else:
            assert start == step.start
            assert step.end <= length
            before, start = step.end, None
            assert own, "a stretch of speech is always answered"
            assert own[0].start <= step.start
            assert all(window.start < step.end and window.end <= step.end + reach for window in own)
            if hop <= window:
                assert own[-1].end >= step.end, "nothing is dropped at the end"
                assert all(a.end >= b.start for a, b in itertools.pairwise(own)), "nor between"
    assert start is None, "what begins ends"


@given(runs, st.sampled_from([0.5, 3.0]), st.sampled_from([0.1, 1.0, 4.0]), st.sampled_from([RULE, REACHING, None]))
def test_no_window_wants_sound_that_was_said_to_be_needed_no_more(
    parts: list[tuple[int, float]], window: float, hop: float, rule: SpeechRule | None
) -> None:
    probabilities = [value for count, value in parts for _ in range(count)]
    placer = Placer(rate=RATE, window=window, hop=hop, frame=FRAME, rule=rule)
    needed = 0
    for probability in probabilities:
        for step in placer.push([probability]):
            if not isinstance(step, End):
                assert step.start >= needed
        needed = placer.needed
    for step in placer.finish(len(probabilities) * 20):
        if isinstance(step, Place):
            assert step.start >= needed


@given(st.sampled_from([0.5, 1.0, 1.5, 3.0]), st.integers(20, 300))
def test_half_a_window_or_half_a_second_of_it_is_speech(window: float, frames: int) -> None:
    """A short window that extended as far would be mostly silence."""
    rule = SpeechRule(on=0.6, off=0.4, shortest=0.1, pause=0.5, margin=0.1, reach=0.5)
    steps = placed([*sound((1, 0)), *[1.0] * frames, *sound((1, 0))], window=window, hop=0.5, rule=rule)
    voiced = (1000, 1000 + 20 * frames)
    for start, end in windows(steps):
        heard = min(end, voiced[1]) - max(start, voiced[0])
        assert heard >= min(500, (end - start) / 2, voiced[1] - voiced[0]) - 200


@pytest.mark.parametrize("wrong", [{"shortest": float("inf")}, {"pause": float("inf")}, {"pause": float("nan")}])
def test_a_rule_that_never_ends_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="below 60"):
        SpeechRule(**wrong)
