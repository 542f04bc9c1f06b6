"""The subtraction of the mean in front of every front end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serkit.lab.features import Centered, build_feature, build_front, feature_names
from serkit.lab.features.extraction import frames_of_batch
from serkit.lab.signal.masking import without_offset
from support.front_claims import SIGNALS, alone, batch, check_export

OFFSETS = (0.01, 0.1, 0.3)
# With a little noise, as in every recording: an offset rounds the last bits, which decide in a perfect tone or pause.
CLIPS = [
    (0.6 * SIGNALS[name] + 0.01 * SIGNALS["noise"][: len(SIGNALS[name])]).astype(np.float32)
    for name in ("speech", "noise", "speech with a pause")
]


def moved(samples: NDArray[np.float32], offset: float) -> NDArray[np.float32]:
    found = samples + np.float32(offset)
    assert np.abs(found).max() <= 1
    return found


@pytest.mark.parametrize("size", [1, 100, 16_000, 960_000])
def test_the_mean_that_is_left_is_nothing(size: int) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, size)).astype(np.float32)
    left = without_offset(torch.from_numpy(noise + 0.3), torch.tensor([size])).double()
    assert abs(float(left.mean())) < 1e-8
    expected = noise.astype(np.float64) - noise.mean(dtype=np.float64)
    np.testing.assert_allclose(left.numpy(), expected, atol=1e-7)


def test_a_constant_becomes_silence() -> None:
    for level in (0.5, 0.3, -0.7):
        left = without_offset(torch.full((1, 16_000), level), torch.tensor([16_000]))
        assert left.abs().max() < 1e-7


def test_padding_has_no_part_in_the_mean_and_becomes_zero() -> None:
    waveform, lengths = batch(CLIPS, extra=1_000, garbage=100.0)
    found = without_offset(waveform, lengths)
    for row, clip in zip(found.numpy(), CLIPS, strict=True):
        np.testing.assert_allclose(row[: len(clip)], clip - clip.mean(dtype=np.float64), atol=1e-6)
        assert not row[len(clip) :].any()


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", feature_names())
def test_an_offset_changes_no_feature(name: str, offset: float) -> None:
    """Within 3e-4 of the largest value of a row, or 1e-4."""
    front = build_front([{"name": name}])
    for clip in CLIPS:
        expected, found = (alone(front, samples) for samples in (clip, moved(clip, offset)))
        allowed = 3e-4 * np.abs(expected).max(1, keepdims=True) + 1e-4
        assert (np.abs(found - expected) <= allowed).all(), (np.abs(found - expected) / allowed).max()
        rows = frames_of_batch(front, [moved(clip, offset)])[0].T
        assert (np.abs(rows - expected) <= allowed).all()


@pytest.mark.parametrize("name", ["logmel", "waveform", "mfcc"])
def test_padding_changes_nothing(name: str) -> None:
    front = build_front([{"name": name}])
    clean, lengths = front(*batch(CLIPS))
    noisy, _ = front(*batch(CLIPS, extra=5_000, garbage=100.0))
    for clip, row, other, count in zip(CLIPS, clean, noisy, lengths.tolist(), strict=True):
        expected = alone(front, clip)
        for found in (row, other):
            np.testing.assert_allclose(found[:, :count].double().numpy(), expected, atol=1e-4)
            assert not found[:, count:].any()


@pytest.mark.parametrize("name", ["logmel", "mfcc", "waveform"])
def test_the_exported_graph_takes_the_mean_off_too(name: str, tmp_path: Path) -> None:
    check_export(build_front([{"name": name}]), tmp_path / "front.onnx")


def test_it_stands_for_the_front_end_within() -> None:
    inner: Any = build_feature("mfcc", {})
    front = build_front([{"name": "mfcc"}])
    assert isinstance(front, Centered)
    for name in ("name", "config", "size", "kind", "has_graph", "version", "needs_equal_lengths", "layout", "uses_sex"):
        assert getattr(front, name) == getattr(inner, name)
    assert front.weights == inner.weights
    assert front.label == "Centered Mfcc"
