from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import serkit
from serkit import Recognizer
from serkit.audio.decode import load_audio, resample
from serkit.errors import (
    AudioShapeError,
    InferenceError,
    NonFiniteAudioError,
    SamplingRateError,
    SettingsError,
    StreamClosedError,
    UnknownNameError,
)
from serkit.runtime.session import ModelSession
from serkit.runtime.stream import Stream
from serkit.runtime.vad import detector
from serkit.runtime.windows import SpeechRule
from serkit.types import FloatArray, StreamEvent

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 16_000


@pytest.fixture(scope="module")
def recognizer(embedded: Path) -> Recognizer:
    return Recognizer.load(embedded, threads=1)


@pytest.fixture(scope="module")
def talk() -> FloatArray:
    """Eleven seconds: a voice of 5 s, a pause, a voice of 2 s, with quiet noise under it all."""
    long, short = (
        load_audio(EXAMPLES / f"{name}.wav", target_rate=RATE) for name in ("loud_fast_high", "soft_slow_low")
    )
    pause = np.zeros(RATE * 3 // 2, np.float32)
    voice = np.concatenate([long, long, long])[: 5 * RATE]
    sound = np.concatenate([pause, voice, pause, short[: 2 * RATE], pause])
    return sound + np.random.default_rng(0).normal(0, 1e-4, len(sound)).astype(np.float32)


def events_of(stream: Stream, sound: FloatArray, sizes: Sequence[int] = (1_600,)) -> list[StreamEvent]:
    """Push audio in pieces of the given sizes, in turn, and flush."""
    found, start, turn = list[StreamEvent](), 0, 0
    while start < sound.shape[-1]:
        size = sizes[turn % len(sizes)]
        found += stream.push(sound[..., start : start + size])
        start, turn = start + size, turn + 1
    return [*found, *stream.flush()]


def assert_same(found: Sequence[StreamEvent], expected: Sequence[StreamEvent]) -> None:
    assert [(e.kind, e.start, e.end) for e in found] == [(e.kind, e.start, e.end) for e in expected]
    for one, other in zip(found, expected, strict=True):
        for name, value in one.probabilities.items():
            assert value == pytest.approx(other.probabilities[name], abs=1e-4)


def test_speech_begins_is_answered_ends_and_is_summed_up(recognizer: Recognizer, talk: FloatArray) -> None:
    events = events_of(recognizer.stream(sampling_rate=RATE), talk)
    kinds = [event.kind for event in events]
    assert kinds.count("speech_start") == kinds.count("speech_end") == kinds.count("utterance") == 2
    assert kinds[0] == "speech_start"
    assert kinds[-2:] == ["speech_end", "utterance"]
    for event in events:
        if event.kind in ("emotion", "utterance"):
            assert event.emotion in (next(iter(event.probabilities)), "uncertain")
            assert sum(event.probabilities.values()) == pytest.approx(1, abs=1e-5)
            assert list(event.probabilities.values()) == sorted(event.probabilities.values(), reverse=True)
    utterances = [(event.start, event.end) for event in events if event.kind == "utterance"]
    np.testing.assert_allclose(utterances, [(1.5, 6.5), (8.0, 10.0)], atol=0.35)


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=8))
@settings(max_examples=10)
def test_how_sound_is_cut_changes_nothing(sizes: list[int]) -> None:
    """The rate is one that is resampled."""
    recognizer, talk, rate = _cached()
    expected = events_of(recognizer.stream(sampling_rate=rate), talk, (len(talk),))
    assert_same(events_of(recognizer.stream(sampling_rate=rate), talk, sizes), expected)


_shared: list[tuple[Recognizer, FloatArray, int]] = []


def _cached() -> tuple[Recognizer, FloatArray, int]:
    return _shared[0]


@pytest.fixture(autouse=True)
def share(recognizer: Recognizer, talk: FloatArray) -> None:
    """Share the fixtures with hypothesis, which cannot use fixtures of this scope."""
    if not _shared:
        _shared.append((recognizer, resample(talk[4 * RATE :], RATE, 22_050), 22_050))  # it begins within speech


def test_pieces_of_a_single_sample_are_heard(recognizer: Recognizer, talk: FloatArray) -> None:
    sound = talk[RATE : 3 * RATE]
    expected = events_of(recognizer.stream(sampling_rate=RATE), sound)
    assert_same(events_of(recognizer.stream(sampling_rate=RATE), sound, (1,)), expected)


@pytest.mark.parametrize("settings", [{}, {"vad": False}, {"window": 1.5, "hop": 0.5, "smooth": 2.0}, {"hop": 3.0}])
def test_a_stream_says_what_the_timeline_says(
    recognizer: Recognizer, talk: FloatArray, settings: dict[str, Any]
) -> None:
    events = events_of(recognizer.stream(sampling_rate=RATE, **settings), talk, (777, 3_000))
    timeline = recognizer.timeline(talk, sampling_rate=RATE, **settings)
    windows = [event for event in events if event.kind == "emotion"]
    assert [(w.start, w.end, w.emotion) for w in windows] == [(w.start, w.end, w.emotion) for w in timeline.windows]
    for event, window in zip(windows, timeline.windows, strict=True):
        for name, value in event.probabilities.items():
            assert value == pytest.approx(window.probabilities[name], abs=1e-4)
    stretches = [(event.start, event.end) for event in events if event.kind == "utterance"]
    assert stretches == [(speech.start, speech.end) for speech in timeline.speech]


def test_an_utterance_is_the_mean_of_its_windows_by_the_sound_they_are_the_first_to_hear(
    recognizer: Recognizer, talk: FloatArray
) -> None:
    events = events_of(recognizer.stream(sampling_rate=RATE), talk)
    last = next(i for i, event in enumerate(events) if event.kind == "utterance")
    windows = [event for event in events[:last] if event.kind == "emotion"]
    edges = [events[0].start, *(window.end for window in windows)]
    weights = np.diff(edges)
    for name, value in events[last].probabilities.items():
        expected = weights @ [window.probabilities[name] for window in windows] / weights.sum()
        assert value == pytest.approx(expected, abs=1e-5)


def test_smoothing_is_a_running_mean_that_forgets(recognizer: Recognizer, talk: FloatArray) -> None:
    plain, smooth = (
        [e for e in events_of(recognizer.stream(sampling_rate=RATE, vad=False, smooth=s), talk) if e.kind == "emotion"]
        for s in (0.0, 2.0)
    )
    share, expected = 1 - np.exp(-1 / 2), dict(plain[0].probabilities)
    for raw, found in zip(plain, smooth, strict=True):
        expected = {name: share * raw.probabilities[name] + (1 - share) * value for name, value in expected.items()}
        assert found.probabilities == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 192_000])
def test_any_rate_is_taken(recognizer: Recognizer, talk: FloatArray, rate: int) -> None:
    events = events_of(recognizer.stream(sampling_rate=rate), resample(talk, RATE, rate), (rate // 10,))
    utterances = [(event.start, event.end) for event in events if event.kind == "utterance"]
    assert len(utterances) == 2
    np.testing.assert_allclose(utterances, [(1.5, 6.5), (8.0, 10.0)], atol=0.4)


def test_below_8000_hz_speech_is_not_looked_for(recognizer: Recognizer, talk: FloatArray) -> None:
    """Half of the voice is missing there; an error is better than 'no speech'."""
    sound = resample(talk, RATE, 4_000)
    with pytest.raises(SamplingRateError, match="speech cannot be detected at a sampling rate of 4000 Hz"):
        recognizer.stream(sampling_rate=4_000)
    assert sum(e.kind == "emotion" for e in events_of(recognizer.stream(sampling_rate=4_000, vad=False), sound)) == 10
    assert recognizer.predict(sound, sampling_rate=4_000).emotion != "no speech"


@pytest.mark.parametrize("channels", [2, 8])
def test_channels_are_mixed(recognizer: Recognizer, talk: FloatArray, channels: int) -> None:
    expected = events_of(recognizer.stream(sampling_rate=RATE), talk)
    assert_same(events_of(recognizer.stream(sampling_rate=RATE), np.stack([talk] * channels)), expected)


@pytest.mark.parametrize(
    "change",
    [lambda x: x + 0.3, lambda x: np.clip(20 * x, -1, 1), lambda x: x / 300],
    ids=["offset", "clipped", "faint"],
)
def test_sound_that_is_badly_recorded_is_heard_all_the_same(
    recognizer: Recognizer, talk: FloatArray, change: Callable[[FloatArray], FloatArray]
) -> None:
    events = events_of(recognizer.stream(sampling_rate=RATE), change(talk).astype(np.float32))
    assert sum(event.kind == "utterance" for event in events) in (1, 2, 3)
    assert all(np.isfinite(list(event.probabilities.values())).all() for event in events)


def test_silence_and_nothing_say_nothing(recognizer: Recognizer) -> None:
    stream = recognizer.stream(sampling_rate=RATE)
    assert events_of(stream, np.zeros(30 * RATE, np.float32), (RATE,)) == []
    stream.reset()
    assert stream.push(np.empty(0, np.float32)) == stream.push(np.empty((2, 0), np.float32)) == stream.flush() == []


def test_a_stream_remembers_no_more_than_it_may_need(recognizer: Recognizer, talk: FloatArray) -> None:
    stream = recognizer.stream(sampling_rate=RATE)
    for _ in range(20):
        for start in range(0, len(talk), 4_000):
            stream.push(talk[start : start + 4_000])
        assert len(stream._track._buffer._samples) < 5 * RATE


# What cannot be used


def test_a_piece_that_cannot_be_used_is_as_if_it_had_not_come(recognizer: Recognizer, talk: FloatArray) -> None:
    stream = recognizer.stream(sampling_rate=RATE)
    expected = events_of(recognizer.stream(sampling_rate=RATE), talk)
    found = stream.push(talk[:40_000])
    with pytest.raises(NonFiniteAudioError, match="the piece has NaN"):
        stream.push(np.array([0.0, np.nan], np.float32))
    with pytest.raises(AudioShapeError):
        stream.push(np.zeros((1, 2, 3), np.float32))
    with pytest.raises(AudioShapeError, match="float or signed integer"):
        stream.push(np.zeros(3, bool))
    with pytest.raises(TypeError):
        stream.push([0.0, 0.1])  # type: ignore[arg-type]
    with pytest.raises(SamplingRateError, match="16000 Hz and this piece has 44100 Hz"):
        stream.push(talk, sampling_rate=44_100)
    found += stream.push(talk[40_000:], sampling_rate=RATE)
    assert_same([*found, *stream.flush()], expected)


def test_a_stream_that_was_flushed_begins_anew_after_reset(recognizer: Recognizer, talk: FloatArray) -> None:
    stream = recognizer.stream(sampling_rate=RATE)
    expected = events_of(stream, talk)
    for call in (lambda: stream.push(talk), stream.flush):
        with pytest.raises(StreamClosedError, match=r"call reset\(\)"):
            call()
    stream.reset()
    assert stream.duration == 0
    assert_same(events_of(stream, talk), expected)
    assert stream.duration == len(talk) / RATE


def test_reset_in_the_midst_of_speech_forgets_it(recognizer: Recognizer, talk: FloatArray) -> None:
    stream = recognizer.stream(sampling_rate=RATE)
    expected = events_of(stream, talk)
    stream.reset()
    stream.push(talk[: 4 * RATE])
    stream.reset()
    assert_same(events_of(stream, talk), expected)


@pytest.mark.parametrize(
    "wrong", [{"window": 0.1}, {"window": 600}, {"hop": 0}, {"hop": 99}, {"smooth": -1}, {"threshold": 2}]
)
def test_settings_out_of_range_are_refused(recognizer: Recognizer, wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        recognizer.stream(sampling_rate=RATE, **wrong)  # type: ignore[arg-type]


def test_a_rate_that_is_none_is_refused(recognizer: Recognizer) -> None:
    with pytest.raises(SamplingRateError, match="the stream has a sampling rate of 10 Hz"):
        recognizer.stream(sampling_rate=10)


def test_a_threshold_for_an_unknown_class_is_refused(recognizer: Recognizer) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'anger'"):
        recognizer.stream(sampling_rate=RATE, threshold={"angr": 0.5})


# Answers


def test_what_is_not_probable_enough_is_uncertain(recognizer: Recognizer, talk: FloatArray) -> None:
    events = events_of(recognizer.stream(sampling_rate=RATE, threshold=1.0), talk)
    assert {event.emotion for event in events} == {"", "uncertain"}


def test_embeddings_come_where_they_are_asked_for(recognizer: Recognizer, talk: FloatArray) -> None:
    for wanted in (False, True):
        events = events_of(recognizer.stream(sampling_rate=RATE, embeddings=wanted), talk)
        given = [event.embedding is not None for event in events if event.kind == "emotion"]
        assert set(given) == {wanted}


def test_a_rule_of_ones_own_decides_what_speech_is(recognizer: Recognizer, talk: FloatArray) -> None:
    events = events_of(recognizer.stream(sampling_rate=RATE, vad=SpeechRule(pause=3.0)), talk)
    assert sum(event.kind == "utterance" for event in events) == 1


def test_an_event_is_plain_data(recognizer: Recognizer, talk: FloatArray) -> None:
    event = events_of(recognizer.stream(sampling_rate=RATE), talk)[0]
    assert asdict(event)["kind"] == "speech_start"
    assert hash(event)


def test_the_public_names_are_there() -> None:
    assert {"Timeline", "StreamEvent", "Window", "Segment"} <= set(serkit.__all__)


# When something fails


def test_what_a_model_failed_to_answer_is_answered_at_the_next_call(
    recognizer: Recognizer, talk: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = events_of(recognizer.stream(sampling_rate=RATE), talk)
    plain, calls = ModelSession.run, [0]

    def run(self: ModelSession, *args: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] in (2, 5, 6):
            raise InferenceError("no memory")
        return plain(self, *args, **more)

    monkeypatch.setattr(ModelSession, "run", run)
    stream, found = recognizer.stream(sampling_rate=RATE), list[StreamEvent]()
    for start in range(0, len(talk), 8_000):
        try:
            found += stream.push(talk[start : start + 8_000])
        except InferenceError:
            continue
    for _ in range(3):
        try:
            found += stream.flush()
            break
        except InferenceError:
            continue
    assert calls[0] > 6
    assert_same(found, expected)


def test_a_flush_that_failed_is_called_again_and_takes_no_sound_between(
    recognizer: Recognizer, talk: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: ModelSession, *args: Any, **more: Any) -> Any:
        raise InferenceError("no memory")

    stream = recognizer.stream(sampling_rate=RATE)
    stream.push(talk[: 3 * RATE])
    with monkeypatch.context() as patch:
        patch.setattr(ModelSession, "run", run)
        with pytest.raises(InferenceError):
            stream.flush()
    with pytest.raises(StreamClosedError, match=r"call flush\(\) again"):
        stream.push(talk)
    assert [event.kind for event in stream.flush()] == ["emotion", "speech_end", "utterance"]


def test_a_detector_that_fails_is_an_error_of_ours(
    recognizer: Recognizer, talk: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def run(self, *args: Any) -> Any:
            raise RuntimeError("no memory")

    monkeypatch.setattr(detector(), "_session", Broken())
    (answer,) = recognizer.predict_many([talk], sampling_rate=RATE, on_error="return")
    assert isinstance(answer, InferenceError)


def test_a_window_that_the_model_is_too_short_for_is_refused(recognizer: Recognizer) -> None:
    card = replace(recognizer.card, minimum_duration=2.0)
    with pytest.raises(SettingsError, match=r"window is 1\.5 s, but the model needs at least 2 s"):
        Recognizer(ModelSession(recognizer.model._session, card)).stream(sampling_rate=RATE, window=1.5)


@pytest.mark.parametrize(("wrong", "error"), [({"sex": "f"}, SettingsError), ({"vad": "no"}, TypeError)])
def test_a_misspelled_choice_is_refused(recognizer: Recognizer, wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        recognizer.stream(sampling_rate=RATE, **wrong)


# A with block


def test_leaving_the_block_closes_the_stream_and_drops_what_was_not_flushed(
    recognizer: Recognizer, talk: FloatArray
) -> None:
    expected = events_of(recognizer.stream(sampling_rate=RATE), talk)
    with recognizer.stream(sampling_rate=RATE) as stream:
        found = [*stream.push(talk), *stream.flush()]
    assert_same(found, expected)
    with recognizer.stream(sampling_rate=RATE) as stream:
        stream.push(talk[: 3 * RATE])
    for call in (lambda: stream.push(talk), stream.flush):
        with pytest.raises(StreamClosedError, match=r"has ended; call reset\(\)"):
            call()
    stream.close()
    stream.reset()
    assert_same(events_of(stream, talk), expected)


def test_an_error_leaves_the_block_and_closes_the_stream(recognizer: Recognizer, talk: FloatArray) -> None:
    with pytest.raises(NonFiniteAudioError), recognizer.stream(sampling_rate=RATE) as stream:
        stream.push(np.array([np.nan], np.float32))
    with pytest.raises(StreamClosedError):
        stream.push(talk)
