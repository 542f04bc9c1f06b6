"""Statistics against NumPy, SciPy and librosa in float64.

A mean is right to 1e-7 of full scale, a variance to 1e-5 of itself, skewness and kurtosis to 1e-4. Centroid and
bandwidth are right to 5e-3 Hz on anything recorded, and to 2 Hz in a pure tone or a constant: its magnitude is summed
over a thousand bins that are empty but for the rounding of float32.
"""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.stats

from serkit.errors import RecipeError
from serkit.lab.features.statistics import Statistics, StatisticsConfig
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

TOLERANCES = {
    "mean": (0, 1e-7), "variance": (1e-5, 1e-12), "skewness": (1e-4, 1e-4), "kurtosis": (1e-4, 1e-4),
    "spectral_centroid": (0, 5e-3), "spectral_bandwidth": (0, 5e-3),
}  # relative, absolute  # fmt: skip
HZ_TOLERANCE_OF_PURE_TONES = 2.0
FRONT = Statistics(StatisticsConfig())


def of_the_oracles(samples: Samples, config: StatisticsConfig) -> Array:
    x = samples.astype(np.float64)
    settings = {"y": x, "sr": config.sampling_rate, "n_fft": config.n_fft, "hop_length": config.hop}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")
        centroid = librosa.feature.spectral_centroid(**settings).mean()
        bandwidth = librosa.feature.spectral_bandwidth(**settings).mean()
    shape = (0.0, 0.0) if np.ptp(x) == 0 else (scipy.stats.skew(x), scipy.stats.kurtosis(x))
    return np.array([x.mean(), x.var(), *shape, centroid, bandwidth])


def check(found: Array, expected: Array, *, hz: float) -> None:
    for value, wanted, (name, (relative, absolute)) in zip(found[:, 0], expected, TOLERANCES.items(), strict=True):
        allowed = max(absolute, hz) if name.startswith("spectral") else absolute
        assert value == pytest.approx(wanted, rel=relative, abs=allowed), name


def test_the_names_are_six() -> None:
    assert tuple(TOLERANCES) == Statistics.names
    assert FRONT.size == 6


@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_statistics_equal_the_oracles_on_synthetic_signals(samples: Samples) -> None:
    check(alone(FRONT, samples), of_the_oracles(samples, FRONT.config), hz=HZ_TOLERANCE_OF_PURE_TONES)


@pytest.mark.parametrize("config", [StatisticsConfig(), StatisticsConfig(sampling_rate=22_050, n_fft=1024, hop=256)])
def test_statistics_equal_the_oracles_on_real_clips(config: StatisticsConfig, real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, config.sampling_rate):
        check(alone(Statistics(config), samples), of_the_oracles(samples, config), hz=0.0)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, -0.3])
def test_a_constant_has_its_mean_and_no_shape(value: float) -> None:
    mean, *shape = alone(FRONT, np.full(20_000, value, np.float32))[:4, 0]
    assert mean == pytest.approx(value, rel=1e-6)
    assert shape == [0, 0, 0]


def test_silence_is_all_zero() -> None:
    assert not alone(FRONT, SIGNALS["silence"]).any()


def test_padding_changes_nothing() -> None:
    check_padding(FRONT)


def test_everything_is_finite() -> None:
    check_everything_is_finite(FRONT)


def test_a_gradient_reaches_the_waveform() -> None:
    check_gradient(FRONT)


def test_the_exported_graph_gives_the_same_numbers(tmp_path: Path) -> None:
    check_export(FRONT, tmp_path / "statistics.onnx")


@pytest.mark.parametrize("settings", [{"sampling_rate": 0}, {"n_fft": 513}, {"n_fft": 0}, {"hop": 0}])
def test_a_setting_out_of_range_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        StatisticsConfig(**settings)
