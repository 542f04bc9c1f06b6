"""Pitch against known pitches and librosa's YIN.

A steady voice is found within 0.5 %. On real clips YIN and this tracker use windows of different lengths: 90 % of the
voiced frames of two clips each of EmoDB, nEMO, RAVDESS and TESS agree within 5 %, and the rest are mostly the ends of
words. ``test_f0.py`` compares the exported tracker to librosa's pYIN.
"""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.features.pitch import Pitch, PitchConfig
from support.front_claims import (
    RATE,
    Samples,
    alone,
    batch,
    check_everything_is_finite,
    check_export,
    check_padding,
    real_clips,
)

STEADY_TOLERANCE = 0.005
GLIDE_TOLERANCE = 0.02
NEAR = 0.05


def harmonics(hz: np.ndarray, *, rate: int = RATE, count: int = 20, seed: int = 0) -> Samples:
    """Return a voice-like sound whose fundamental follows ``hz``, shape (T,)."""
    phase = 2 * np.pi * np.cumsum(hz) / rate
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, count)
    sound = sum(np.sin(k * phase + phases[k - 1]) * (k * hz < rate / 2) / k for k in range(1, count + 1))
    return (0.2 * sound).astype(np.float32)


@pytest.mark.parametrize("hz", [70, 85, 101.3, 140, 200, 333, 420, 490])
@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100])
def test_a_steady_voice_has_its_pitch(hz: float, rate: int) -> None:
    n_fft = {8000: 512, 16_000: 1024, 22_050: 2048, 44_100: 4096}[rate]
    samples = harmonics(np.full(rate, hz), rate=rate)
    f0, strength = alone(Pitch(PitchConfig(sampling_rate=rate, n_fft=n_fft)), samples)
    inner = slice(5, -5)
    np.testing.assert_allclose(f0[inner], hz, rtol=STEADY_TOLERANCE)
    assert strength[inner].min() > 0.9


def test_a_glide_is_followed() -> None:
    hz = np.linspace(100, 300, 2 * RATE)
    f0, _ = alone(Pitch(PitchConfig()), harmonics(hz))
    np.testing.assert_allclose(f0[5:-5], hz[::160][5 : len(f0) - 5], rtol=GLIDE_TOLERANCE)


@pytest.mark.parametrize("hz", [100, 180, 250])
def test_a_missing_fundamental_is_heard(hz: int) -> None:
    t = np.arange(RATE) / RATE
    samples = sum(np.sin(2 * np.pi * k * hz * t) for k in (2, 3, 4, 5)).astype(np.float32) / 8
    f0, _ = alone(Pitch(PitchConfig()), samples)
    np.testing.assert_allclose(f0[5:-5], hz, rtol=STEADY_TOLERANCE)


@pytest.mark.parametrize("level", [1e-3, 0.1, 1.0])
def test_noise_has_next_to_no_pitch(level: float) -> None:
    noise = (level * np.random.default_rng(3).standard_normal(5 * RATE)).astype(np.float32)
    f0, strength = alone(Pitch(PitchConfig()), noise)
    assert (f0 > 0).mean() < 0.05
    assert np.median(strength) < 0.5


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.full(RATE, 0.5), np.ones(1), np.full(RATE, 1e-6)])
def test_what_does_not_swing_has_no_pitch(samples: Samples) -> None:
    f0, strength = alone(Pitch(PitchConfig()), samples.astype(np.float32))
    inner = slice(5, -5) if len(f0) > 10 else slice(None)  # a constant begins and ends with a step
    assert not f0[inner].any()
    assert ((strength >= 0) & (strength <= 1)).all()


def test_pauses_are_unvoiced() -> None:
    voice = harmonics(np.full(RATE // 2, 150.0))
    f0, _ = alone(Pitch(PitchConfig()), np.concatenate([voice, np.zeros(RATE // 2, np.float32), voice]))
    assert not f0[54:97].any()
    assert (f0[5:45] > 0).all()
    assert (f0[105:145] > 0).all()


def test_pitch_agrees_with_librosas_yin_on_real_clips(real_corpora: Path) -> None:
    near, both = 0, 0
    for samples in real_clips(real_corpora, RATE, ("emodb", "nemo", "ravdess", "tess")):
        f0 = alone(Pitch(PitchConfig()), samples)[0]
        yin = librosa.yin(samples, fmin=65, fmax=500, sr=RATE, frame_length=1024, hop_length=160, center=True)
        voiced = f0 > 0
        near, both = near + int((np.abs(f0 / yin - 1) < NEAR)[voiced].sum()), both + int(voiced.sum())
    assert near / both > 0.87  # 0.898 was measured; librosa's YIN makes no voicing decision


def test_an_octave_error_in_one_frame_is_mended() -> None:
    voice = harmonics(np.full(RATE, 120.0))
    t = np.arange(RATE) / RATE
    burst = 0.25 * np.sin(2 * np.pi * 240 * t) * (np.abs(t - 0.5) < 0.02)
    f0, _ = alone(Pitch(PitchConfig()), (voice + burst).astype(np.float32))
    np.testing.assert_allclose(f0[5:-5], 120, rtol=GLIDE_TOLERANCE)


def test_the_two_rows_are_pitch_and_strength_in_every_frame() -> None:
    features, frames = Pitch(PitchConfig())(*batch([harmonics(np.full(8000, 150.0)), np.zeros(1, np.float32)]))
    assert features.shape == (2, 2, 51)
    assert frames.tolist() == [51, 1]
    assert not features[1].any()


def test_padding_changes_nothing() -> None:
    check_padding(Pitch(PitchConfig()), floor=1e-5)


def test_everything_is_finite() -> None:
    check_everything_is_finite(Pitch(PitchConfig()))


def test_an_exported_pitch_is_the_same(tmp_path: Path) -> None:
    check_export(Pitch(PitchConfig()), tmp_path / "pitch.onnx")


def test_it_has_no_weights() -> None:
    front = Pitch(PitchConfig())
    assert not list(front.parameters())
    assert not front.state_dict()
    assert front.kind == "frames"
    with torch.no_grad():
        assert front(torch.zeros(1, 5), torch.tensor([5]))[0].shape == (1, 2, 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"lowest": 10}, {"lowest": 500}, {"highest": 9000}, {"window_ms": 10}, {"window_ms": 100}, {"n_fft": 256},
        {"hop_ms": 0}, {"threshold": 0}, {"threshold": 1}, {"quiet_db": 0}, {"sampling_rate": 0},
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        PitchConfig(**settings)  # type: ignore[arg-type]
