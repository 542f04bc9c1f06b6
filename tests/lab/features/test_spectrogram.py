"""The spectrogram against librosa in float64.

A magnitude is right to 1e-6 of the loudest one. In dB that is 2e-3 where a bin is 70 dB below it and 0.03 at 80 dB,
where the range ends; recorded clips stay below 0.02, and a pure tone, whose other bins are empty, at 0.1.
"""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest

from serkit.errors import RecipeError
from serkit.lab.features.spectrogram import Spectrogram, SpectrogramConfig
from support.front_claims import (
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

SHARE_OF_THE_LOUDEST = 1e-6
DB_TOLERANCE = 0.02
DB_TOLERANCE_OF_PURE_TONES = 0.1
VARIANTS = {
    "magnitude": SpectrogramConfig(scale="magnitude"),
    "power": SpectrogramConfig(scale="power"),
    "decibel": SpectrogramConfig(),
    "below the loudest": SpectrogramConfig(reference="loudest", top_db=60),
    "other frames": SpectrogramConfig(scale="magnitude", n_fft=2048, window_ms=128, hop_ms=32),
    "22,050 Hz": SpectrogramConfig(sampling_rate=22_050, scale="magnitude", n_fft=1024),
}
every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=list(VARIANTS))


def of_librosa(samples: Samples, config: SpectrogramConfig) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")
        spectrum = librosa.stft(
            samples.astype(np.float64), n_fft=config.n_fft,
            win_length=round(config.sampling_rate * config.window_ms / 1000),
            hop_length=round(config.sampling_rate * config.hop_ms / 1000),
        )  # fmt: skip
    magnitude = np.abs(spectrum)
    if config.scale == "decibel":
        reference = np.max if config.reference == "loudest" else 1.0
        return librosa.amplitude_to_db(magnitude, ref=reference, top_db=config.top_db)
    return magnitude if config.scale == "magnitude" else magnitude**2


def tolerance(expected: Array, config: SpectrogramConfig, *, db: float) -> float:
    return db if config.scale == "decibel" else SHARE_OF_THE_LOUDEST * float(expected.max()) + 1e-12


@every_variant
@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_the_spectrogram_equals_librosa_on_synthetic_signals(samples: Samples, config: SpectrogramConfig) -> None:
    expected = of_librosa(samples, config)
    allowed = tolerance(expected, config, db=DB_TOLERANCE_OF_PURE_TONES)
    np.testing.assert_allclose(alone(Spectrogram(config), samples), expected, atol=allowed, rtol=0)


@every_variant
def test_the_spectrogram_equals_librosa_on_real_clips(config: SpectrogramConfig, real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, config.sampling_rate):
        expected = of_librosa(samples, config)
        allowed = tolerance(expected, config, db=DB_TOLERANCE)
        np.testing.assert_allclose(alone(Spectrogram(config), samples), expected, atol=allowed, rtol=0)


@every_variant
def test_padding_changes_nothing(config: SpectrogramConfig) -> None:
    check_padding(Spectrogram(config))


@every_variant
def test_everything_is_finite(config: SpectrogramConfig) -> None:
    check_everything_is_finite(Spectrogram(config))


def test_a_gradient_of_power_and_level_reaches_the_waveform() -> None:
    for name in ("power", "below the loudest"):
        check_gradient(Spectrogram(VARIANTS[name]))


@every_variant
def test_the_exported_graph_gives_the_same_numbers(config: SpectrogramConfig, tmp_path: Path) -> None:
    # empty bins are right to a share of the loudest, in dB less so
    tolerance = 1e-3 if config.scale == "decibel" else 1e-4
    check_export(Spectrogram(config), tmp_path / "spectrogram.onnx", rtol=tolerance)


@pytest.mark.parametrize(
    "settings",
    [
        {"sampling_rate": 0}, {"n_fft": 513}, {"hop_ms": 0}, {"window_ms": 0}, {"top_db": 0}, {"scale": "log"},
        {"reference": "mean"},
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        SpectrogramConfig(**settings)  # type: ignore[arg-type]


def test_a_window_longer_than_the_transform_is_refused() -> None:
    with pytest.raises(RecipeError, match="longer than n_fft"):
        SpectrogramConfig(n_fft=256)
