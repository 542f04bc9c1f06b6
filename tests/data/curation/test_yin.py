import random
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serkit.audio.decode import load_audio
from serkit.data.corpora import find_corpus, get_corpus
from serkit.data.curation.yin import track_pitch
from serkit.errors import AudioError

RATE = 16_000
Wave = NDArray[np.float32]


def harmonics(pitch: float | NDArray[np.float64], *, first: int = 1, seconds: float = 0.6, rate: int = RATE) -> Wave:
    """A sound of a dozen harmonics, at most up to 4 kHz, each weaker than the one below."""
    frequencies = np.broadcast_to(pitch, round(seconds * rate))
    phase = 2 * np.pi * np.cumsum(frequencies) / rate
    partials = [n for n in range(first, first + 12) if n * frequencies.max() < min(4_000, rate / 2)]
    sound = sum(np.sin(n * phase) / n for n in partials)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def noise(seconds: float = 1.0, *, level: float = 0.1) -> Wave:
    return (level * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


# Known pitches


@pytest.mark.parametrize("pitch", [66, 80, 110, 163.7, 220, 313.1, 440, 495])
def test_a_steady_pitch_is_found_within_half_a_percent_as_librosa_finds_it_within_one(pitch: float) -> None:
    sound = harmonics(pitch)
    found = track_pitch(sound, sampling_rate=RATE)
    np.testing.assert_allclose(found, pitch, rtol=0.005)
    oracle = librosa.yin(sound, fmin=65, fmax=500, sr=RATE, frame_length=1024, hop_length=160, center=False)
    shared = min(len(oracle), len(found))
    np.testing.assert_allclose(found[:shared], oracle[:shared], rtol=0.01)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_the_sampling_rate_does_not_matter(rate: int) -> None:
    found = track_pitch(harmonics(180, rate=rate), sampling_rate=rate)
    np.testing.assert_allclose(found[2:-2], 180, rtol=0.005)  # the resampler's edges may be unvoiced


def test_a_glide_over_an_octave_is_followed() -> None:
    seconds = 1.5
    pitch = 120 * 2 ** np.linspace(0, 1, round(seconds * RATE))
    found = track_pitch(harmonics(pitch, seconds=seconds), sampling_rate=RATE)
    assert np.isfinite(found).mean() > 0.98
    center = np.arange(len(found)) * 160 + 240  # of the window and one shortest lag, in samples
    is_voiced = np.isfinite(found)
    np.testing.assert_allclose(found[is_voiced], pitch[center][is_voiced], rtol=0.01)


def test_a_fundamental_that_a_telephone_takes_away_is_still_the_pitch() -> None:
    np.testing.assert_allclose(track_pitch(harmonics(140, first=3), sampling_rate=RATE), 140, rtol=0.01)


def test_level_offset_clipping_and_a_little_noise_do_not_move_it() -> None:
    sound = harmonics(200)
    for changed in (sound * 1e-3, sound + 0.3, np.clip(sound * 8, -1, 1), sound + noise(0.6, level=0.01)):
        np.testing.assert_allclose(track_pitch(changed, sampling_rate=RATE), 200, rtol=0.01)


def test_integers_and_channels_are_taken_like_everywhere() -> None:
    sound = harmonics(150)
    stereo = np.stack([sound, sound]) * 32_000
    np.testing.assert_allclose(track_pitch(stereo.astype(np.int16), sampling_rate=RATE), 150, rtol=0.005)


# No pitch


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(RATE, np.float32),
        np.ones(RATE, np.float32),
        np.full(RATE, -0.3, np.float32),
        np.eye(1, RATE, 8_000, dtype=np.float32)[0],
        np.linspace(-1, 1, RATE, dtype=np.float32),
        np.sign(noise()),
        np.tile(np.float32([1e-6, -1e-6]), RATE // 2),
    ],
    ids=["silence", "ones", "constant", "click", "ramp", "clipped noise", "dither"],
)
def test_what_has_no_pitch_gets_none(sound: Wave) -> None:
    assert np.isnan(track_pitch(sound, sampling_rate=RATE)).all()


def test_noise_is_hardly_ever_taken_for_a_voice() -> None:
    assert np.isfinite(track_pitch(noise(20), sampling_rate=RATE)).mean() < 0.001


def test_pauses_between_voices_are_unvoiced() -> None:
    sound = np.concatenate([harmonics(120), noise(0.6, level=1e-4), harmonics(240)])
    found = track_pitch(sound, sampling_rate=RATE)
    assert np.isnan(found[62:115]).all()
    np.testing.assert_allclose(found[:55], 120, rtol=0.01)
    np.testing.assert_allclose(found[122:], 240, rtol=0.01)


def test_a_hum_far_below_the_voice_is_not_its_pitch() -> None:
    hum = 1e-3 * harmonics(100, seconds=1.0)
    found = track_pitch(np.concatenate([harmonics(220), hum]), sampling_rate=RATE)
    assert np.isnan(found[62:]).all()


@given(length=st.integers(1, 700))
def test_audio_shorter_than_a_frame_has_no_frames(length: int) -> None:
    found = track_pitch(noise()[:length], sampling_rate=RATE)
    assert found.dtype == np.float32
    assert len(found) == (length >= 655)  # 25 ms, the longest lag, and the smoothing


@given(
    samples=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60),
    repeats=st.integers(1, 40),
)
def test_any_audio_gives_frequencies_in_range_or_none(samples: list[float], repeats: int) -> None:
    found = track_pitch(np.tile(np.float32(samples), repeats), sampling_rate=RATE)
    voiced = found[np.isfinite(found)]
    assert ((voiced >= 65) & (voiced <= 500)).all()


# Options


def test_frames_come_at_the_hop() -> None:
    sound = harmonics(200, seconds=1.0)
    lengths = [len(track_pitch(sound, sampling_rate=RATE, hop_ms=hop)) for hop in (5, 10, 20)]
    assert lengths == [192, 96, 48]


def test_other_ranges_find_other_voices() -> None:
    found = track_pitch(harmonics(800), sampling_rate=RATE, lowest=200, highest=1_000)
    np.testing.assert_allclose(found, 800, rtol=0.01)
    assert len(track_pitch(harmonics(40), sampling_rate=RATE, lowest=30))


@pytest.mark.parametrize("options", [{"lowest": 500}, {"lowest": 1}, {"highest": 5_000}, {"hop_ms": 0}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot look for a pitch"):
        track_pitch(harmonics(200), sampling_rate=RATE, **options)


def test_what_is_not_audio_is_refused() -> None:
    with pytest.raises(AudioError):
        track_pitch(np.full(RATE, np.nan, np.float32), sampling_rate=RATE)


# Real voices


@pytest.mark.parametrize("corpus", ["emodb", "ravdess"])
def test_on_real_voices_it_agrees_with_pyin_where_pyin_is_sure(real_corpora: Path, corpus: str) -> None:
    """Over 140 clips of four corpora: 99.3 to 99.9 % of the shared frames within 5 %, 98.4 to 99.9 % found voiced."""
    manifest = get_corpus(corpus).manifest(find_corpus(corpus, real_corpora))
    within = shared = sure = 0
    for utterance in random.Random(0).sample(list(manifest), 10):
        sound = load_audio(manifest.audio_path(utterance), target_rate=RATE)
        found = track_pitch(sound, sampling_rate=RATE)
        pitch, _, probability = librosa.pyin(
            sound, fmin=65, fmax=500, sr=RATE, frame_length=1024, hop_length=160, center=True
        )
        oracle = np.where(probability > 0.5, pitch, np.nan)[2 : 2 + len(found)]  # centered frames, 20 ms earlier
        both = np.isfinite(found[: len(oracle)]) & np.isfinite(oracle)
        within += (np.abs(found[: len(oracle)][both] / oracle[both] - 1) < 0.05).sum()
        shared, sure = shared + both.sum(), sure + np.isfinite(oracle).sum()
    assert within / shared > 0.97
    assert shared / sure > 0.95
