"""The vector of 848 numbers against librosa's descriptors and NumPy's and SciPy's functionals, in float64.

Descriptors are right to what ``test_mfcc.py`` and ``test_chroma.py`` say; functionals to what they make of it: values
and differences to 2e-3 in MFCC and 1e-5 in chroma and level, slopes to ten times that, skewness and kurtosis to 1e-3.
"""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.features.vector848 import Vector848, Vector848Config
from serkit.lab.signal.functionals import FUNCTIONALS
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
from support.functionals_oracle import expected_functionals

FRONT = Vector848(Vector848Config())
SHAPES = ("skewness", "kurtosis")
LONG = ("noise", "loud noise", "speech", "clipped speech", "speech with a pause")


def of_the_oracles(samples: Samples) -> Array:
    """Return functionals of librosa's descriptors, shape (53, 16)."""
    y = samples.astype(np.float64)
    parts = (
        librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=40),
        librosa.feature.chroma_stft(y=y, sr=RATE, tuning=0.0),
        librosa.feature.rms(y=y),
    )
    rows = [expected_functionals(row, RATE / 512) for row in np.concatenate(parts)]
    return np.array([[row[name] for name in FUNCTIONALS] for row in rows])


def check(found: Array, expected: Array) -> None:
    found = found.reshape(53, 16)
    for column, name in enumerate(FUNCTIONALS):
        for rows, tolerance in ((slice(0, 40), 2e-3), (slice(40, 53), 1e-5)):
            allowed = 1e-3 if name in SHAPES else tolerance * (10 if name == "slope" else 1)
            np.testing.assert_allclose(
                found[rows, column], expected[rows, column], atol=allowed, rtol=1e-5, err_msg=name
            )


def test_53_descriptors_by_16_functionals_are_848() -> None:
    assert len(set(Vector848.names)) == 848 == 53 * 16
    assert Vector848.names[:2] == ("mfcc_0_mean", "mfcc_0_deviation")
    assert Vector848.names[-1] == "rms_mean_change"


@pytest.mark.parametrize("name", LONG)
def test_the_vector_equals_the_oracles_on_synthetic_signals(name: str) -> None:
    check(alone(FRONT, SIGNALS[name]), of_the_oracles(SIGNALS[name]))


def test_the_vector_equals_the_oracles_on_real_clips(real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, RATE):
        check(alone(FRONT, samples), of_the_oracles(samples))


def test_silence_changes_in_nothing() -> None:
    found = alone(FRONT, SIGNALS["silence"]).reshape(53, 16)
    steady = [FUNCTIONALS.index(name) for name in ("skewness", "kurtosis", "range", "interquartile_range")]
    assert not found[:, steady].any()
    assert found[0, 0] == pytest.approx(-100 * np.sqrt(128))
    assert not found[1:].any()


def test_padding_changes_nothing() -> None:
    check_padding(FRONT, floor=1e-4)


def test_everything_is_finite() -> None:
    check_everything_is_finite(FRONT)


def test_a_gradient_reaches_the_waveform() -> None:
    check_gradient(FRONT)


def test_the_exported_graph_gives_the_same_numbers(tmp_path: Path) -> None:
    check_export(FRONT, tmp_path / "vector.onnx", rtol=1e-3, atol=2e-3)


def test_descriptors_are_those_of_each_frame() -> None:
    descriptors, frames = FRONT.descriptors(torch.from_numpy(SIGNALS["speech"])[None], torch.tensor([RATE]))
    assert descriptors.shape == (1, 53, 32)
    assert frames.tolist() == [32]


@pytest.mark.parametrize("settings", [{"sampling_rate": 0}, {"n_fft": 513}, {"n_fft": 0}, {"hop": 0}])
def test_a_setting_out_of_range_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        Vector848Config(**settings)
