"""Chroma against librosa, in float64, with the same tuning.

Chroma is a share of a frame's largest class: from 0 to 1, and right to 1e-5 (5e-7 on real clips).
"""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest

from serkit.errors import RecipeError
from serkit.lab.features.chroma import Chroma, ChromaConfig
from serkit.lab.signal.pitch_classes import PITCH_CLASSES
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
from support.synthetic import tone

TOLERANCE = 1e-5
FRONT = Chroma(ChromaConfig())


def of_librosa(samples: Samples, config: ChromaConfig) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")
        return librosa.feature.chroma_stft(
            y=samples.astype(np.float64), sr=config.sampling_rate, n_fft=config.n_fft, hop_length=config.hop,
            tuning=config.tuning,
        )  # fmt: skip


@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_chroma_equals_librosa_on_synthetic_signals(samples: Samples) -> None:
    np.testing.assert_allclose(alone(FRONT, samples), of_librosa(samples, FRONT.config), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("config", [ChromaConfig(), ChromaConfig(sampling_rate=22_050, tuning=0.4, hop=300)])
def test_chroma_equals_librosa_on_real_clips(config: ChromaConfig, real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, config.sampling_rate):
        expected = of_librosa(samples, config)
        np.testing.assert_allclose(alone(Chroma(config), samples), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(("hz", "name"), [(440, "A"), (261.63, "C"), (880, "A"), (1174.66, "D")])
def test_a_tone_is_loudest_in_its_own_pitch_class(hz: float, name: str) -> None:
    chroma = alone(FRONT, tone(hz, seconds=1))
    assert PITCH_CLASSES[int(chroma[:, 10].argmax())] == name


def test_padding_changes_nothing() -> None:
    check_padding(FRONT)


def test_everything_is_finite() -> None:
    check_everything_is_finite(FRONT)


def test_a_gradient_reaches_the_waveform() -> None:
    check_gradient(FRONT)


def test_the_exported_graph_gives_the_same_numbers(tmp_path: Path) -> None:
    check_export(FRONT, tmp_path / "chroma.onnx")


@pytest.mark.parametrize("settings", [{"sampling_rate": 0}, {"n_fft": 513}, {"n_fft": 0}, {"hop": 0}, {"tuning": 0.6}])
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        ChromaConfig(**settings)  # type: ignore[arg-type]
