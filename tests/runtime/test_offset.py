"""A constant offset of all samples changes no answer."""

from pathlib import Path

import numpy as np
import pytest

import serkit
from serkit.audio.decode import load_audio
from serkit.runtime.session import embedded_models
from serkit.runtime.vad import SpeechListener, detector, has_speech
from serkit.types import FloatArray, StreamEvent

RATE = 16_000
EXAMPLES = Path(__file__).parents[2] / "examples"
OFFSETS = (0.01, 0.1, 0.3)
NAMES = embedded_models()


def _clips() -> list[FloatArray]:
    files = sorted(file for file in EXAMPLES.iterdir() if file.suffix in {".wav", ".flac"})
    clips = [load_audio(file, target_rate=RATE) for file in files]
    return [(0.6 * clip / np.abs(clip).max()).astype(np.float32) for clip in clips]


CLIPS = _clips()
_PAUSE = np.zeros(2 * RATE, np.float32)
RECORDING: FloatArray = np.concatenate([CLIPS[0], _PAUSE, CLIPS[1], _PAUSE, CLIPS[2]])


def moved(samples: FloatArray, offset: float) -> FloatArray:
    found: FloatArray = samples + np.float32(offset)
    assert np.abs(found).max() <= 1, "the clip must not be clipped"
    return found


def assert_same(one: object, other: object) -> None:
    """Compare probabilities of two answers, most probable class first, within 1e-4."""
    pairs = [getattr(answer, "probabilities") for answer in (one, other)]  # noqa: B009
    assert {name: pytest.approx(value, abs=1e-4) for name, value in pairs[0].items()} == pairs[1]
    assert getattr(one, "emotion") == getattr(other, "emotion")  # noqa: B009


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_prediction_stays(name: str, offset: float) -> None:
    model = serkit.load(name)
    for clip in CLIPS:
        expected, found = (model.predict(x, sampling_rate=RATE) for x in (clip, moved(clip, offset)))
        assert_same(expected, found)
        np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing_with_an_offset(name: str) -> None:
    model = serkit.load(name)
    rows = [moved(clip, offset) for clip, offset in zip(CLIPS, (0.0, *OFFSETS), strict=False)]
    padded = np.full((len(rows), max(map(len, rows)) + 5_000), 0.7, np.float32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    found, _ = model.run(padded, np.array([len(row) for row in rows]))
    for row, answer in zip(rows, found, strict=True):
        np.testing.assert_allclose(answer, model.run(row[None], np.array([len(row)]))[0][0], atol=1e-4)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_timeline_stays(name: str, offset: float) -> None:
    expected, found = (serkit.load(name).timeline(x, sampling_rate=RATE) for x in (RECORDING, moved(RECORDING, offset)))
    assert found.speech == expected.speech
    assert [(w.start, w.end) for w in found.windows] == [(w.start, w.end) for w in expected.windows]
    assert len(expected.windows) > 3
    for one, other in zip(expected.windows, found.windows, strict=True):
        assert_same(one, other)


def events(name: str, samples: FloatArray, piece: int) -> list[StreamEvent]:
    with serkit.load(name).stream(sampling_rate=RATE) as stream:
        found = [e for start in range(0, len(samples), piece) for e in stream.push(samples[start : start + piece])]
        return [*found, *stream.flush()]


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", NAMES)
def test_the_events_of_a_stream_stay(name: str, offset: float) -> None:
    expected, found = events(name, RECORDING, 1_600), events(name, moved(RECORDING, offset), 777)
    assert [(e.kind, e.start, e.end) for e in found] == [(e.kind, e.start, e.end) for e in expected]
    for one, other in zip(expected, found, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("offset", [0.0, *OFFSETS, -0.7])
def test_silence_with_an_offset_has_no_speech(offset: float) -> None:
    silence = np.full(2 * RATE, offset, np.float32)
    assert not has_speech(silence, RATE)
    assert not detector().of_clip(silence).any()
    assert serkit.load().predict(silence, sampling_rate=RATE).emotion == "no speech"
    assert not serkit.load().timeline(silence, sampling_rate=RATE).speech


@pytest.mark.parametrize("offset", OFFSETS)
def test_probabilities_of_speech_stay(offset: float) -> None:
    for clip in CLIPS:
        expected = detector().of_clip(clip)
        assert expected.max() > 0.9
        np.testing.assert_allclose(detector().of_clip(moved(clip, offset)), expected, atol=1e-4)


@pytest.mark.parametrize("piece", [1, 160, 1_601, 100_000])
def test_a_listener_gives_what_the_whole_clip_gives(piece: int) -> None:
    clip = moved(CLIPS[0], 0.1)[: RATE if piece == 1 else None]
    listener = SpeechListener(detector())
    found = [listener.push(clip[start : start + piece]) for start in range(0, len(clip), piece)]
    found.append(listener.flush())
    np.testing.assert_allclose(np.concatenate(found), detector().of_clip(clip), atol=1e-5)


def test_a_listener_that_heard_nothing_tells_nothing() -> None:
    listener = SpeechListener(detector())
    assert not len(listener.push(np.empty(0, np.float32)))
    assert not len(listener.flush())
    assert not len(detector().of_clip(np.empty(0, np.float32)))
