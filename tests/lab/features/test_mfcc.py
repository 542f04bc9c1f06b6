"""MFCC against librosa in float64.

Tolerances, in dB times the root of the bands. On anything recorded, coefficients differ by less than 2e-3. What is
synthetic has bands some 80 dB below the loudest, where a transform in float32 is right to 0.01 dB: 2e-2. Deltas are
sums of differences of these, a tenth as large.
"""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.features.mfcc import Mfcc, MfccConfig
from support.front_claims import (
    RATE,
    SIGNALS,
    Array,
    Samples,
    alone,
    check_everything_is_finite,
    check_export,
    check_gradient,
    check_padding,
    real_clips,
)

TOLERANCE = 2e-3
TOLERANCE_OF_SYNTHETIC_SIGNALS = 2e-2
CONFIGS = {
    "default": MfccConfig(),
    "13 of 40 bands": MfccConfig(n_mfcc=13, bands=40, n_fft=512),
    "50 to 7,600 Hz": MfccConfig(fmin=50, fmax=7600, bands=80, top_db=60),
    "librosa's defaults": MfccConfig(sampling_rate=22_050, n_mfcc=20, n_fft=2048, window_ms=92.87, hop_ms=23.22),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
VARIANTS = {
    "plain": MfccConfig(),
    "deltas": MfccConfig(deltas=2),
    "mean": MfccConfig(deltas=1, normalize="mean"),
    "deviation": MfccConfig(deltas=2, normalize="deviation"),
}
every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=list(VARIANTS))


def of_librosa(samples: Samples, config: MfccConfig) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")
        mel = librosa.feature.melspectrogram(
            y=samples.astype(np.float64), sr=config.sampling_rate, n_fft=config.n_fft, n_mels=config.bands,
            win_length=round(config.sampling_rate * config.window_ms / 1000),
            hop_length=round(config.sampling_rate * config.hop_ms / 1000), fmin=config.fmin, fmax=config.fmax,
        )  # fmt: skip
    return librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=config.top_db), n_mfcc=config.n_mfcc)


@every_config
@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_mfcc_equals_librosa_on_synthetic_signals(samples: Samples, config: MfccConfig) -> None:
    expected = of_librosa(samples, config)
    np.testing.assert_allclose(alone(Mfcc(config), samples), expected, atol=TOLERANCE_OF_SYNTHETIC_SIGNALS, rtol=0)


@every_config
def test_mfcc_equals_librosa_on_real_clips(config: MfccConfig, real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, config.sampling_rate):
        np.testing.assert_allclose(alone(Mfcc(config), samples), of_librosa(samples, config), atol=TOLERANCE, rtol=0)


def test_librosas_default_mfcc_is_among_the_settings() -> None:
    config = MfccConfig(n_mfcc=20, n_fft=2048, window_ms=128, hop_ms=32)
    samples = SIGNALS["speech"].astype(np.float64)
    np.testing.assert_allclose(of_librosa(SIGNALS["speech"], config), librosa.feature.mfcc(y=samples, sr=RATE))


@pytest.mark.parametrize("name", ["speech", "noise", "speech with a pause", "clipped speech"])
def test_deltas_equal_librosas_to_the_very_ends(name: str) -> None:
    found = alone(Mfcc(MfccConfig(deltas=2)), SIGNALS[name])
    plain = found[:40]
    for order in (1, 2):
        expected = librosa.feature.delta(plain, order=order)
        np.testing.assert_allclose(found[40 * order : 40 * (order + 1)], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("frames", range(1, 12))
def test_deltas_of_few_frames_repeat_the_first_and_last(frames: int) -> None:
    found = alone(Mfcc(MfccConfig(deltas=2)), SIGNALS["noise"][: 160 * frames - 1])
    assert found.shape == (120, frames)
    mode = "nearest" if frames < 9 else "interp"
    for order in (1, 2):
        expected = librosa.feature.delta(found[:40], order=order, mode=mode)
        np.testing.assert_allclose(found[40 * order : 40 * (order + 1)], expected, atol=1e-4, rtol=0)


def test_normalized_each_coefficient_and_delta_has_mean_0_and_deviation_1() -> None:
    plain = alone(Mfcc(MfccConfig(deltas=2)), SIGNALS["speech"])
    found = alone(Mfcc(MfccConfig(deltas=2, normalize="deviation")), SIGNALS["speech"])
    deviation = np.sqrt(plain.var(1, keepdims=True) + 1e-4)
    np.testing.assert_allclose(found, (plain - plain.mean(1, keepdims=True)) / deviation, atol=1e-4)
    found = alone(Mfcc(MfccConfig(deltas=2, normalize="mean")), SIGNALS["speech"])
    np.testing.assert_allclose(found, plain - plain.mean(1, keepdims=True), atol=1e-4)


@every_variant
def test_padding_changes_nothing(config: MfccConfig) -> None:
    check_padding(Mfcc(config), floor=1e-4)  # of coefficients that are sums of a hundred levels in dB


@every_variant
def test_everything_is_finite(config: MfccConfig) -> None:
    check_everything_is_finite(Mfcc(config))


def test_a_gradient_reaches_the_waveform() -> None:
    check_gradient(Mfcc(VARIANTS["deviation"]))


@every_variant
def test_the_exported_graph_gives_the_same_numbers(config: MfccConfig, tmp_path: Path) -> None:
    check_export(Mfcc(config), tmp_path / "mfcc.onnx")


def test_filters_and_transforms_are_no_weights() -> None:
    front = Mfcc(MfccConfig())
    assert not list(front.parameters())
    assert not front.state_dict()


def test_size_counts_the_deltas() -> None:
    features, frames = Mfcc(MfccConfig(n_mfcc=13, deltas=1))(torch.zeros(2, 1600), torch.tensor([1600, 160]))
    assert features.shape == (2, 26, 11)
    assert frames.tolist() == [11, 2]


@pytest.mark.parametrize(
    "settings",
    [
        {"sampling_rate": 0}, {"n_mfcc": 0}, {"n_mfcc": 41, "bands": 40}, {"bands": 0}, {"deltas": 3}, {"top_db": 0},
        {"n_fft": 513}, {"hop_ms": 0}, {"window_ms": 0}, {"fmin": 9000}, {"fmax": 9000}, {"normalize": "all"},
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        MfccConfig(**settings)  # type: ignore[arg-type]


def test_a_window_longer_than_the_transform_is_refused() -> None:
    with pytest.raises(RecipeError, match="longer than n_fft"):
        MfccConfig(n_fft=256)
