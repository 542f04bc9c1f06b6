"""Sounds and scenes: seeded, of the level and length that they say, labeled by the clean speech."""

import numpy as np
import pytest

from serkit.errors import UnknownNameError
from speech_detector.scenes import label_frames, make_scene
from speech_detector.sounds import HELD_OUT, KINDS, SAMPLING_RATE, active_level, make_sound
from speech_detector.spectra import HOP, colored_noise


def tone_between_silences() -> np.ndarray:
    """One second of a 300 Hz tone between seconds of silence."""
    tone = 0.1 * np.sin(2 * np.pi * 300 * np.arange(SAMPLING_RATE) / SAMPLING_RATE)
    return np.pad(tone, SAMPLING_RATE).astype(np.float32)


@pytest.mark.parametrize("kind", [*KINDS, *HELD_OUT])
@pytest.mark.parametrize("samples", [320, 40_000])
def test_a_sound_depends_on_its_seed_alone(kind: str, samples: int) -> None:
    first, again = (make_sound(kind, samples, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (samples,)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    if samples > 320 and kind != "silence":
        assert np.abs(first).max() == pytest.approx(0.5, rel=1e-6)
        assert not np.array_equal(first, make_sound(kind, samples, np.random.default_rng(4)))


def test_kinds_for_measuring_are_not_learned() -> None:
    assert not set(KINDS) & set(HELD_OUT)


def test_an_unknown_sound_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'music'"):
        make_sound("musik", 320, np.random.default_rng(0))


@pytest.mark.parametrize(("slope", "fall_db"), [(0, 0.0), (1, 3.01), (2, 6.02)])
def test_a_noise_falls_by_its_slope_per_octave(slope: float, fall_db: float) -> None:
    spectrum = np.abs(np.fft.rfft(colored_noise(1 << 18, slope, np.random.default_rng(0)))) ** 2
    octaves = [spectrum[first : 2 * first].mean() for first in (1 << 12, 1 << 13, 1 << 14, 1 << 15)]
    assert 10 * np.log10(octaves[0] / octaves[-1]) / 3 == pytest.approx(fall_db, abs=0.1)


def test_the_active_level_leaves_silence_out() -> None:
    sound = tone_between_silences()
    assert active_level(sound) == pytest.approx(0.1 / np.sqrt(2), rel=1e-3)
    assert active_level(np.zeros(3_200, np.float32)) == 0


@pytest.mark.parametrize("gain", [0.01, 1.0])
def test_labels_do_not_depend_on_level_and_end_100_ms_after_the_sound(gain: float) -> None:
    found = np.flatnonzero(label_frames(tone_between_silences() * np.float32(gain)))
    assert found[0] == pytest.approx(50, abs=2)  # the filter rings
    assert found[-1] == pytest.approx(99 + 5, abs=2)
    assert len(found) == found[-1] - found[0] + 1


def test_labels_bridge_a_short_stop() -> None:
    sound = tone_between_silences()
    sound[24_000:25_600] = 0  # 100 ms
    assert label_frames(sound)[50:100].all()


def test_silence_has_no_speech() -> None:
    assert not label_frames(np.zeros(16_000, np.float32)).any()


def test_a_scene_depends_on_its_seed_alone_and_stays_in_range() -> None:
    clips = [tone_between_silences()]
    shares = []
    for seed in range(12):
        scene, again = (make_scene(clips, np.random.default_rng(seed), seconds=3.0) for _ in range(2))
        assert np.array_equal(scene.samples, again.samples)
        assert scene.samples.dtype == np.float32
        assert len(scene.is_speech) == len(scene.samples) // HOP == 150
        assert np.abs(scene.samples).max() <= 1
        shares.append(scene.is_speech.mean())
    assert min(shares) == 0 < max(shares)
