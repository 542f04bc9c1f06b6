"""Frame-wise descriptors against librosa in float64.

Tolerances. Zero crossings are counted: exact. Root mean square and chroma are right to 1e-5. MFCC are those of
test_mfcc. The contrast's valleys are single bins: those within 80 dB of their frame's loudest bin are right to 0.02 dB,
which is what a transform in float32 knows of them, and fainter ones, such as the empty band above a resampled clip's
old limit, are not compared.
"""

from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serkit.errors import RecipeError
from serkit.lab.features.frames import PARTS, Frames, FramesConfig
from serkit.lab.features.pitch import Pitch, PitchConfig
from serkit.lab.signal.contrast import SpectralContrast
from support.front_claims import (
    RATE,
    SIGNALS,
    Array,
    Samples,
    alone,
    check_everything_is_finite,
    check_export,
    check_padding,
    real_clips,
)

TOLERANCES = {"zcr": 1e-6, "energy": 1e-3, "rms": 1e-5, "chroma": 1e-5, "mfcc": 2e-2, "contrast": 2e-2}
MFCC_TOLERANCE_OF_REAL_CLIPS = 2e-3
FAINT_DB = 80
# what a float32 graph with a transform in two products may differ by, where a valley lies 60 dB below its frame
EXPORT_TOLERANCE = 1e-3
CREMA_CNN_PARTS = ("zcr", "energy", "rms", "chroma", "mfcc")
RECORDED = ("noise", "loud noise", "faint noise", "speech", "clipped speech", "1025 samples", "511 samples")


def of_librosa(samples: Samples, config: FramesConfig) -> dict[str, Array]:
    n_fft, rate = config.n_fft, config.sampling_rate
    hop = round(rate * config.hop_ms / 1000)
    y = samples.astype(np.float64)
    magnitude = np.abs(librosa.stft(np.pad(y, (0, max(0, n_fft - len(y)))), n_fft=n_fft, hop_length=hop))
    magnitude = magnitude[:, : 1 + len(y) // hop]
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_fft=n_fft)
    rms = librosa.feature.rms(y=y, frame_length=n_fft, hop_length=hop)
    return {
        "zcr": librosa.feature.zero_crossing_rate(y, frame_length=n_fft, hop_length=hop),
        "energy": n_fft * rms**2,
        "rms": rms,
        "chroma": librosa.feature.chroma_stft(S=magnitude**2, sr=rate, n_fft=n_fft, tuning=0),
        "mfcc": librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
        "contrast": librosa.feature.spectral_contrast(S=magnitude, sr=rate),
    }


def has_no_faint_valley(samples: Samples, config: FramesConfig) -> NDArray[np.bool_]:
    """Tell of which bands float32 knows the valley, (7, N)."""
    n_fft, rate = config.n_fft, config.sampling_rate
    stft = librosa.stft(samples.astype(np.float64), n_fft=n_fft, hop_length=round(rate * config.hop_ms / 1000))
    magnitude, hz = np.abs(stft), librosa.fft_frequencies(sr=rate, n_fft=n_fft)
    edges = [0.0, *(200.0 * 2**band for band in range(6)), np.inf]
    lowest = [magnitude[(hz >= low - rate / n_fft) & (hz <= high)].min(0) for low, high in pairwise(edges)]
    return np.stack(lowest) > 10 ** (-FAINT_DB / 20) * magnitude.max(0)


def by_part(features: Array, config: FramesConfig) -> dict[str, Array]:
    edges = np.cumsum([0, *(PARTS[part] for part in config.parts)])
    return {part: features[edges[i] : edges[i + 1]] for i, part in enumerate(config.parts)}


CONFIGS = {
    "default": FramesConfig(),
    "2048 points": FramesConfig(n_fft=2048, hop_ms=32),
    "22,050 Hz": FramesConfig(sampling_rate=22_050, n_fft=2048, hop_ms=23.22),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))


@every_config
@pytest.mark.parametrize("name", RECORDED)
def test_frames_equal_librosa_on_synthetic_signals(name: str, config: FramesConfig) -> None:
    found = by_part(alone(Frames(config), SIGNALS[name]), config)
    for part, expected in of_librosa(SIGNALS[name], config).items():
        np.testing.assert_allclose(found[part], expected, atol=TOLERANCES[part], rtol=1e-5, err_msg=part)


@every_config
def test_frames_equal_librosa_on_real_clips(config: FramesConfig, real_corpora: Path) -> None:
    for samples in real_clips(real_corpora, config.sampling_rate):
        found = by_part(alone(Frames(config), samples), config)
        for part, expected in of_librosa(samples, config).items():
            tolerance = MFCC_TOLERANCE_OF_REAL_CLIPS if part == "mfcc" else TOLERANCES[part]
            known = has_no_faint_valley(samples, config) if part == "contrast" else np.ones_like(expected, dtype=bool)
            assert known.mean() > 0.6
            np.testing.assert_allclose(found[part][known], expected[known], atol=tolerance, rtol=1e-5, err_msg=part)


def test_pitch_is_that_of_the_tracker_on_the_same_window() -> None:
    found = by_part(alone(Frames(FramesConfig()), SIGNALS["speech"]), FramesConfig())
    f0, strength = alone(Pitch(PitchConfig(n_fft=1024, window_ms=64)), SIGNALS["speech"])
    np.testing.assert_allclose(found["f0"][0], f0, rtol=1e-4)
    np.testing.assert_allclose(found["voicing"][0], strength, atol=1e-4)
    assert (f0 > 0).any()


@pytest.mark.parametrize("parts", [CREMA_CNN_PARTS, ("f0",), ("contrast", "zcr"), ("rms",), tuple(PARTS)[::-1]])
def test_parts_come_in_their_order_and_are_those_of_the_whole(parts: tuple[str, ...]) -> None:
    whole = by_part(alone(Frames(FramesConfig()), SIGNALS["speech"]), FramesConfig())
    config = FramesConfig(parts=parts)
    front = Frames(config)
    assert front.size == sum(PARTS[part] for part in parts)
    for part, rows in by_part(alone(front, SIGNALS["speech"]), config).items():
        np.testing.assert_allclose(rows, whole[part], rtol=1e-5, atol=1e-5, err_msg=part)


def test_the_parts_of_the_crema_cnn_report_have_35_values() -> None:
    assert Frames(FramesConfig(parts=CREMA_CNN_PARTS)).size == 35


@pytest.mark.parametrize(("octaves", "fmin", "quantile"), [(6, 200.0, 0.02), (4, 100.0, 0.1), (2, 1000.0, 0.5)])
def test_contrast_equals_librosa_with_other_settings(octaves: int, fmin: float, quantile: float) -> None:
    magnitude = np.abs(librosa.stft(SIGNALS["noise"].astype(np.float64), n_fft=1024))
    expected = librosa.feature.spectral_contrast(S=magnitude, sr=RATE, n_bands=octaves, fmin=fmin, quantile=quantile)
    contrast = SpectralContrast(sampling_rate=RATE, n_fft=1024, octaves=octaves, fmin=fmin, quantile=quantile)
    extremes = contrast.extremes(torch.from_numpy(magnitude.T)).T[None]
    found = contrast(extremes, torch.ones(1, 1, magnitude.shape[1], dtype=torch.bool))
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-9)


def test_padding_changes_nothing() -> None:
    check_padding(Frames(FramesConfig()), floor=1e-4)  # dB and cepstra of silence are sums of -100 dB


def test_everything_is_finite() -> None:
    check_everything_is_finite(Frames(FramesConfig()))


@pytest.mark.parametrize("parts", [tuple(PARTS), CREMA_CNN_PARTS, ("f0", "voicing")])
def test_exported_frames_are_the_same(parts: tuple[str, ...], tmp_path: Path) -> None:
    check_export(Frames(FramesConfig(parts=parts)), tmp_path / "frames.onnx", rtol=EXPORT_TOLERANCE)


def test_an_unknown_part_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match=r"^frames has no part 'tempo'; the parts are zcr, energy, rms, chroma,"):
        FramesConfig(parts=("zcr", "tempo"))


@pytest.mark.parametrize(
    "settings",
    [
        {"parts": ()}, {"parts": ("zcr", "zcr")}, {"sampling_rate": 8000}, {"n_fft": 128}, {"n_fft": 1023},
        {"hop_ms": 0}, {"sampling_rate": 44_100, "parts": ("f0",)},
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        FramesConfig(**settings)  # type: ignore[arg-type]
