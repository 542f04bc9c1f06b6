"""The picture against librosa's spectrogram, interpolated by torch.

Values are from 0 to 1 over 80 dB. They differ by less than 5e-5 (0.004 dB) on recorded clips, by 1e-3 (0.08 dB) where
a pure tone leaves bins empty, 80 dB below it, which float32 knows no better.
"""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from torch.nn import functional

from serkit.errors import RecipeError
from serkit.lab.features.spectrogram_image import SpectrogramImage, SpectrogramImageConfig
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

TOLERANCE = 5e-5
TOLERANCE_OF_PURE_TONES = 1e-3
VARIANTS = {
    "for a transformer": SpectrogramImageConfig(),
    "for VGG16": SpectrogramImageConfig(rows=224, columns=224, side=None),
    "as drawn": SpectrogramImageConfig(side=None),
    "linear": SpectrogramImageConfig(scale="linear", n_fft=512),
    "standard": SpectrogramImageConfig(values="standard"),
    "small": SpectrogramImageConfig(rows=20, columns=30, side=None, top_db=60),
}
every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=list(VARIANTS))


def interpolated(picture: Array, rows: int, columns: int) -> Array:
    image = torch.from_numpy(picture)[None, None]
    return functional.interpolate(image, (rows, columns), mode="bilinear", antialias=True)[0, 0].numpy()


def expected_picture(samples: Samples, config: SpectrogramImageConfig) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")
        spectrum = librosa.stft(
            samples.astype(np.float64), n_fft=config.n_fft,
            hop_length=round(config.sampling_rate * config.hop_ms / 1000),
            win_length=round(config.sampling_rate * config.window_ms / 1000),
        )  # fmt: skip
    power = np.abs(spectrum) ** 2
    if config.scale == "mel":
        power = librosa.filters.mel(sr=config.sampling_rate, n_fft=config.n_fft, n_mels=config.bands) @ power
    level = 1 + librosa.power_to_db(power, ref=np.max, top_db=config.top_db) / config.top_db
    picture = interpolated(level, config.rows, config.columns)
    if config.side:
        picture = interpolated(picture, config.side, config.side)
    if config.values == "standard":
        picture = (picture - picture.mean()) / np.sqrt(picture.var() + 1e-4)
    return picture


@every_variant
@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_the_picture_is_librosas_interpolated(samples: Samples, config: SpectrogramImageConfig) -> None:
    allowed = TOLERANCE_OF_PURE_TONES * (10 if config.values == "standard" else 1)  # a deviation of 0.1, it may be
    found = alone(SpectrogramImage(config), samples)
    np.testing.assert_allclose(found, expected_picture(samples, config), atol=allowed, rtol=0)


@every_variant
def test_the_picture_of_real_clips_is_librosas_interpolated(config: SpectrogramImageConfig, real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, config.sampling_rate):
        allowed = TOLERANCE * (10 if config.values == "standard" else 1)
        found = alone(SpectrogramImage(config), samples)
        np.testing.assert_allclose(found, expected_picture(samples, config), atol=allowed, rtol=0)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 7.0])
def test_a_picture_has_one_size_whatever_the_duration(seconds: float) -> None:
    samples = 0.1 * torch.randn(2, round(16_000 * seconds))
    pictures, columns = SpectrogramImage(VARIANTS["as drawn"])(samples, torch.tensor([1600, 1600]))
    assert pictures.shape == (2, 256, 384)
    assert columns.tolist() == [384, 384]
    assert 0 <= float(pictures.min()) < float(pictures.max()) <= 1 + 1e-6


def test_low_frequencies_are_in_the_first_rows() -> None:
    picture = alone(SpectrogramImage(SpectrogramImageConfig()), SIGNALS["tone"])
    assert picture[:, 112].argmax() < 50


@every_variant
def test_padding_changes_nothing(config: SpectrogramImageConfig) -> None:
    # an even picture, as of one sample, is divided by a deviation of 0.01
    check_padding(SpectrogramImage(config), floor=1e-4 if config.values == "standard" else 1e-5)


@every_variant
def test_everything_is_finite(config: SpectrogramImageConfig) -> None:
    check_everything_is_finite(SpectrogramImage(config))


def test_a_gradient_reaches_the_waveform() -> None:
    front = SpectrogramImage(SpectrogramImageConfig(values="standard"))
    check_gradient(front)


@every_variant
def test_the_exported_graph_gives_the_same_numbers(config: SpectrogramImageConfig, tmp_path: Path) -> None:
    # an even picture, as of one sample, is divided by a deviation of 0.01
    tolerance = 5e-3 if config.values == "standard" else 1e-3
    check_export(SpectrogramImage(config), tmp_path / "picture.onnx", rtol=1e-3, atol=tolerance)


@pytest.mark.parametrize(
    "settings",
    [
        {"sampling_rate": 0}, {"n_fft": 513}, {"hop_ms": 0}, {"window_ms": 0}, {"top_db": 0}, {"scale": "log"},
        {"bands": 0}, {"rows": 0}, {"columns": 0}, {"side": 0}, {"values": "raw"},
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        SpectrogramImageConfig(**settings)  # type: ignore[arg-type]


def test_a_window_longer_than_the_transform_is_refused() -> None:
    with pytest.raises(RecipeError, match="longer than n_fft"):
        SpectrogramImageConfig(n_fft=256)
