"""The notebook's vector against librosa in float64, at 22,050 Hz and librosa's defaults but for its tuning.

The rate of crossings is exact but for its last digit, levels and mel powers are right to 1e-5 of the clip's largest,
chroma to 1e-5 and MFCC to 2e-3 on anything recorded, to 1e-4 and 2e-2 on synthetic signals, whose empty bins are the
rounding of float32; see ``test_mfcc.py``.
"""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest

from serkit.errors import RecipeError
from serkit.lab.features.notebook162 import Notebook162, Notebook162Config
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

TOLERANCES = {"chroma": 1e-5, "mfcc": 2e-3}
TOLERANCES_OF_SYNTHETIC_SIGNALS = {"chroma": 1e-4, "mfcc": 2e-2}
VARIANTS = {
    "default": Notebook162Config(),
    "chroma of magnitudes": Notebook162Config(chroma_of="magnitude"),
    "16 kHz": Notebook162Config(sampling_rate=16_000),
    "hop that shares little with the frame": Notebook162Config(n_fft=1024, hop=300),
}
every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=list(VARIANTS))


def of_librosa(samples: Samples, config: Notebook162Config) -> Array:
    y, rate, hop = samples.astype(np.float64), config.sampling_rate, config.hop
    frames = {"frame_length": config.n_fft, "hop_length": hop}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")
        magnitude = np.abs(librosa.stft(y, n_fft=config.n_fft, hop_length=hop))
        transform = {"n_fft": config.n_fft, "hop_length": hop}
        parts = (
            librosa.feature.zero_crossing_rate(y, **frames),
            librosa.feature.chroma_stft(
                S=magnitude ** (2 if config.chroma_of == "power" else 1), sr=rate, n_fft=config.n_fft, tuning=0.0
            ),
            librosa.feature.mfcc(y=y, sr=rate, **transform),
            librosa.feature.rms(y=y, **frames),
            librosa.feature.melspectrogram(y=y, sr=rate, **transform),
        )
    return np.concatenate([part.mean(1) for part in parts])


def check(found: Array, expected: Array, *, chroma: float, mfcc: float) -> None:
    assert found.shape == (162, 1)
    wanted = {"zero": (0, 1, 1e-7), "chroma": (1, 13, chroma), "mfcc": (13, 33, mfcc), "rms": (33, 34, 1e-6)}
    for name, (first, last, tolerance) in wanted.items():
        part = slice(first, last)
        np.testing.assert_allclose(found[part, 0], expected[part], atol=tolerance, rtol=1e-6, err_msg=name)
    largest = float(expected[34:].max())
    np.testing.assert_allclose(found[34:, 0], expected[34:], rtol=1e-5, atol=1e-6 * largest, err_msg="mel")


def test_the_names_are_162() -> None:
    assert len(set(Notebook162.names)) == 162
    assert [Notebook162.names[n] for n in (0, 1, 12, 13, 32, 33, 34, 161)] == [
        "zero_crossing_rate", "chroma_C", "chroma_B", "mfcc_0", "mfcc_19", "rms", "mel_0", "mel_127",
    ]  # fmt: skip


def test_the_default_is_librosas_with_its_default_pitch() -> None:
    y = SIGNALS["speech"].astype(np.float64)
    parts = (
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.chroma_stft(y=y, tuning=0.0),
        librosa.feature.mfcc(y=y),
        librosa.feature.rms(y=y),
        librosa.feature.melspectrogram(y=y),
    )
    plain = np.concatenate([part.mean(1) for part in parts])
    np.testing.assert_allclose(of_librosa(SIGNALS["speech"], Notebook162Config()), plain)


@every_variant
@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_the_vector_equals_librosa_on_synthetic_signals(samples: Samples, config: Notebook162Config) -> None:
    found = alone(Notebook162(config), samples)
    check(found, of_librosa(samples, config), **TOLERANCES_OF_SYNTHETIC_SIGNALS)


@pytest.mark.long
@every_variant
def test_the_vector_equals_librosa_on_real_clips(config: Notebook162Config, real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, config.sampling_rate):
        check(alone(Notebook162(config), samples), of_librosa(samples, config), **TOLERANCES)


def test_librosas_tuning_of_speech_would_change_mean_chroma_by_some_hundredths(real_corpora: Path) -> None:
    changes = []
    for samples in real_clips(real_corpora, 22_050):
        tuned = librosa.feature.chroma_stft(y=samples.astype(np.float64)).mean(1)
        changes.append(np.abs(tuned - alone(Notebook162(Notebook162Config()), samples)[1:13, 0]))
    assert 0.005 < np.mean(changes) < 0.03


def test_padding_changes_nothing() -> None:
    check_padding(Notebook162(Notebook162Config()), floor=3e-4)  # of MFCC, up to a thousand


def test_everything_is_finite() -> None:
    check_everything_is_finite(Notebook162(Notebook162Config()))


def test_a_gradient_reaches_the_waveform() -> None:
    check_gradient(Notebook162(Notebook162Config()))


@every_variant
def test_the_exported_graph_gives_the_same_numbers(config: Notebook162Config, tmp_path: Path) -> None:
    check_export(Notebook162(config), tmp_path / "notebook.onnx", atol=1e-3)


@pytest.mark.parametrize(
    "settings", [{"sampling_rate": 0}, {"n_fft": 513}, {"n_fft": 0}, {"hop": 0}, {"chroma_of": "level"}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        Notebook162Config(**settings)  # type: ignore[arg-type]
