"""Interpolation by matrices against torch's antialiased bilinear interpolation."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from serkit.lab.signal.interpolation import interpolation_matrix, stretch
from support.front_claims import Array


def interpolated(row: Array, columns: int) -> Array:
    image = torch.from_numpy(row)[None, None]
    return functional.interpolate(image, (1, columns), mode="bilinear", antialias=True)[0, 0].numpy()


@pytest.mark.parametrize("frames", [1, 2, 7, 100, 384, 385, 1000, 3001])
def test_a_stretch_interpolates_as_torch_does(frames: int) -> None:
    row = np.random.default_rng(0).standard_normal((1, frames))
    weights = stretch(torch.tensor([frames]), frames + 5, 384)[0].double().numpy()
    assert not weights[frames:].any()
    np.testing.assert_allclose(row @ weights[:frames], interpolated(row, 384), atol=2e-4)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-6)


@pytest.mark.parametrize(("source", "target"), [(1, 5), (128, 256), (513, 256), (256, 224)])
def test_the_matrix_of_a_known_size_interpolates_as_torch_does(source: int, target: int) -> None:
    row = np.random.default_rng(0).standard_normal((1, source))
    np.testing.assert_allclose(row @ interpolation_matrix(source, target).T, interpolated(row, target), atol=1e-9)
