import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from serkit import Recognizer
from serkit.annotations.timeline import Timeline
from serkit.annotations.timeline_data import PEAK_SECONDS
from serkit.audio import recordings
from serkit.audio.decode import load_audio
from serkit.errors import (
    AudioNotFoundError,
    AudioTooShortError,
    EmptyAudioFileError,
    NoSamplesError,
    SamplingRateError,
    SettingsError,
    TruncatedAudioError,
    UnknownAudioFormatError,
)
from serkit.runtime.decision import Decider
from serkit.runtime.recording_timeline import merge_windows
from serkit.types import FloatArray, Speech, Window

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 16_000
CLASSES = ("anger", "calm")


@pytest.fixture(scope="module")
def recognizer(embedded: Path) -> Recognizer:
    return Recognizer.load(embedded, threads=1)


@pytest.fixture(scope="module")
def talk() -> FloatArray:
    """A voice of 5 s, a pause of 2 s, another voice of 4 s."""
    voices = [load_audio(EXAMPLES / f"{name}.wav", target_rate=RATE) for name in ("loud_fast_high", "soft_slow_low")]
    one, other = np.tile(voices[0], 3)[: 5 * RATE], np.tile(voices[1], 3)[: 4 * RATE]
    return np.concatenate([one, np.zeros(2 * RATE, np.float32), other])


@pytest.fixture(scope="module")
def file(talk: FloatArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "talk.wav"
    soundfile.write(path, talk, RATE, subtype="FLOAT")
    return path


def same(one: Timeline, other: Timeline) -> bool:
    """Return whether two timelines are equal up to the last digits of probabilities."""
    for a, b in zip([*one.windows, *one.segments], [*other.windows, *other.segments], strict=True):
        if (a.start, a.end, a.emotion, a.channel) != (b.start, b.end, b.emotion, b.channel):
            return False
        if any(abs(value - b.probabilities[name]) > 1e-4 for name, value in a.probabilities.items()):
            return False
    return one.speech == other.speech and one.duration == other.duration


def test_segments_tile_the_speech_and_windows_lie_in_it(recognizer: Recognizer, file: Path, talk: FloatArray) -> None:
    found = recognizer.timeline(file)
    assert len(found.speech) == 2
    assert (found.duration, found.sampling_rate, found.channels, found.name) == (11.0, RATE, 1, "talk.wav")
    for speech in found.speech:
        own = [s for s in found.segments if speech.start <= s.start < speech.end]
        assert (own[0].start, own[-1].end) == (speech.start, speech.end)
        assert all(a.end == b.start for a, b in itertools.pairwise(own))
        assert all(a.emotion != b.emotion for a, b in itertools.pairwise(own))
    for window in found.windows:
        assert any(speech.start - 0.41 <= window.start < window.end <= speech.end + 0.41 for speech in found.speech)
    np.testing.assert_allclose(found.peaks[0], np.abs(talk).reshape(-1, 320).max(1))


def test_an_array_a_file_and_a_file_object_say_the_same(recognizer: Recognizer, file: Path, talk: FloatArray) -> None:
    expected = recognizer.timeline(file)
    assert same(recognizer.timeline(talk, sampling_rate=RATE), expected)
    assert same(recognizer.timeline(io.BytesIO(file.read_bytes())), expected)


def test_the_size_of_the_pieces_that_are_read_changes_nothing(
    recognizer: Recognizer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = recognizer.timeline(file)
    monkeypatch.setattr(recordings, "_SECONDS", 1)
    assert same(recognizer.timeline(file), expected)


def test_channels_that_are_separate_have_a_speaker_each(recognizer: Recognizer, talk: FloatArray) -> None:
    silent = np.zeros_like(talk)
    found = recognizer.timeline(np.stack([talk, silent, talk]), sampling_rate=RATE, channels="separate")
    assert found.channels == 3
    assert {window.channel for window in found.windows} == {speech.channel for speech in found.speech} == {0, 2}
    assert found.peaks.shape == (3, 550)
    alone = recognizer.timeline(talk, sampling_rate=RATE)
    first = [(w.start, w.end, w.emotion) for w in found.windows if w.channel == 2]
    assert first == [(w.start, w.end, w.emotion) for w in alone.windows]


def test_without_looking_for_speech_everything_is_answered(recognizer: Recognizer, talk: FloatArray) -> None:
    found = recognizer.timeline(talk, sampling_rate=RATE, vad=False)
    assert found.speech == (Speech(start=0.0, end=11.0),)
    assert [window.start for window in found.windows] == [float(start) for start in range(9)]


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "music"])
def test_what_is_not_speech_has_no_segments_and_predict_says_so(recognizer: Recognizer, kind: str) -> None:
    """Within the detector's accuracy."""
    moments, rng = np.arange(8 * RATE) / RATE, np.random.default_rng(0)
    notes = 220 * 2 ** (rng.integers(0, 12, 16)[(moments * 2).astype(int)] / 12)
    sound = {
        "silence": np.zeros(8 * RATE),
        "noise": 0.05 * rng.standard_normal(8 * RATE),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * moments),
        "music": sum(0.2 / k * np.sin(2 * np.pi * k * np.cumsum(notes) / RATE) for k in range(1, 6))
        * np.exp(-3 * (moments * 2 % 1)),
    }[kind].astype(np.float32)
    assert recognizer.timeline(sound, sampling_rate=RATE).segments == ()
    assert recognizer.predict(sound, sampling_rate=RATE).emotion == "no speech"
    assert recognizer.predict(sound, sampling_rate=RATE, reject=False).emotion in recognizer.card.classes


def test_progress_tells_how_much_has_been_heard(recognizer: Recognizer, file: Path) -> None:
    heard: list[float] = []
    recognizer.timeline(file, on_progress=heard.append)
    assert heard == [10.0, 11.0]


# Merging


def windows(*emotions: tuple[str, float], hop: float = 1.0) -> list[Window]:
    return [
        Window(start=hop * i, end=hop * i + 3, emotion=name, probabilities=dict(zip(CLASSES, (p, 1 - p), strict=True)))
        for i, (name, p) in enumerate(emotions)
    ]


def test_windows_that_say_the_same_in_a_row_are_one_segment() -> None:
    decider = Decider(CLASSES, (0.0, 0.0))
    heard = windows(("anger", 0.9), ("anger", 0.7), ("calm", 0.2), ("anger", 0.6))
    found = list(merge_windows(heard, Speech(start=0, end=6, channel=1), decider))
    assert [(s.start, s.end, s.emotion, s.channel) for s in found] == [
        (0, 3.0, "anger", 1), (3.0, 4.0, "calm", 1), (4.0, 6, "anger", 1),
    ]  # fmt: skip
    assert found[0].probabilities["anger"] == pytest.approx((2 * 0.9 + 1 * 0.7) / 3)
    assert list(merge_windows([], Speech(start=0, end=0.05), decider)) == []


@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.floats(0, 1)), min_size=1, max_size=20), st.floats(0.1, 3))
def test_segments_always_tile_the_stretch(answers: list[tuple[str, float]], hop: float) -> None:
    heard = windows(*answers, hop=hop)
    speech = Speech(start=0, end=heard[-1].end)
    found = list(merge_windows(heard, speech, Decider(CLASSES, (0.0, 0.0))))
    assert (found[0].start, found[-1].end) == (speech.start, speech.end)
    assert all(a.end == b.start and a.emotion != b.emotion for a, b in itertools.pairwise(found))
    assert all(segment.start < segment.end for segment in found)


# What cannot be used


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", EmptyAudioFileError), (b"no sound at all" * 9, UnknownAudioFormatError)],
)
def test_a_file_that_is_no_sound_is_refused(
    recognizer: Recognizer, content: bytes, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    with pytest.raises(error, match=r"odd\.wav"):
        recognizer.timeline(path)


def test_a_file_that_is_not_there_is_named(recognizer: Recognizer, tmp_path: Path) -> None:
    with pytest.raises(AudioNotFoundError, match=r"no file .*gone\.wav"):
        recognizer.timeline(tmp_path / "gone.wav")


def test_a_file_that_is_cut_off_is_refused(recognizer: Recognizer, file: Path, tmp_path: Path) -> None:
    """In a FLAC file the damage is noticed only at the end."""
    sound, rate = soundfile.read(file)
    whole, cut = tmp_path / "whole.flac", tmp_path / "cut.flac"
    soundfile.write(whole, sound, rate)
    cut.write_bytes(whole.read_bytes()[:-30_001])
    with pytest.raises(TruncatedAudioError, match="is damaged or cut off"):
        recognizer.timeline(cut)
    cut_wav = tmp_path / "cut.wav"
    cut_wav.write_bytes(file.read_bytes()[:-10_001])
    with pytest.raises(TruncatedAudioError):
        recognizer.timeline(cut_wav)


@pytest.mark.parametrize(
    ("sound", "more", "error"),
    [
        (np.zeros(100, np.float32), {"sampling_rate": RATE}, AudioTooShortError),
        (np.zeros(0, np.float32), {"sampling_rate": RATE}, NoSamplesError),
        (np.zeros(RATE, np.float32), {}, SamplingRateError),
    ],
)
def test_an_array_that_cannot_be_used_is_refused(
    recognizer: Recognizer, sound: FloatArray, more: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        recognizer.timeline(sound, **more)


def test_a_misspelled_channel_is_refused(recognizer: Recognizer, talk: FloatArray) -> None:
    with pytest.raises(SettingsError, match="'mix' or 'separate', not 'seperate'"):
        recognizer.timeline(talk, sampling_rate=RATE, channels="seperate")  # type: ignore[arg-type]


# What is said of it


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100])
def test_peaks_stand_where_they_were_at_any_rate(recognizer: Recognizer, rate: int) -> None:
    """Ten seconds with one loud sample: at 11,025 Hz a fiftieth of a second is no whole number of samples."""
    sound = np.zeros(30 * rate, np.float32)
    sound[29 * rate] = 0.9
    peaks = recognizer.timeline(sound, sampling_rate=rate).peaks[0]
    assert len(peaks) == 1500
    assert int(peaks.argmax()) * PEAK_SECONDS == pytest.approx(29, abs=PEAK_SECONDS)


@given(st.integers(8_000, 50_000))
@settings(max_examples=10)
def test_nothing_ends_after_the_recording(samples: int) -> None:
    found = _recognizers[0].timeline(np.zeros(samples, np.float32), sampling_rate=11_025, vad=False)
    assert max(found.windows[-1].end, found.segments[-1].end, found.speech[-1].end) <= found.duration


_recognizers: list[Recognizer] = []


@pytest.fixture(autouse=True)
def share(recognizer: Recognizer) -> None:
    """Share the fixtures with hypothesis, which cannot use fixtures of this scope."""
    _recognizers[:] = [recognizer]


def test_timelines_with_embeddings_can_be_compared_and_their_parts_hashed(
    recognizer: Recognizer, talk: FloatArray
) -> None:
    one, other = (recognizer.timeline(talk, sampling_rate=RATE, embeddings=True) for _ in range(2))
    assert one == other
    assert len({*one.windows, *one.segments}) == len(one.windows) + len(one.segments)


def test_the_threshold_in_force_is_among_the_settings(recognizer: Recognizer, talk: FloatArray) -> None:
    card = recognizer.timeline(talk, sampling_rate=RATE).settings["threshold"]
    assert card == recognizer.card.calibration["threshold"]
    some = recognizer.timeline(talk, sampling_rate=RATE, threshold={"anger": 0.9}).settings["threshold"]
    assert some == dict.fromkeys(recognizer.card.classes, card) | {"anger": 0.9}
