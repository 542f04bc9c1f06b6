"""The cosine transform against SciPy, derivatives against polynomials; MFCC are tested in test_mfcc.py."""

import numpy as np
import pytest
import scipy.fft
import torch

from serkit.lab.signal.cepstrum import cosine_transform, delta, derivative_weights


@pytest.mark.parametrize(("coefficients", "bands"), [(1, 1), (13, 40), (40, 128)])
def test_the_cosine_transform_is_scipys_orthonormal_one(coefficients: int, bands: int) -> None:
    expected = scipy.fft.dct(np.eye(bands), axis=0, norm="ortho")[:coefficients]
    np.testing.assert_allclose(cosine_transform(coefficients, bands), expected, atol=1e-7)


def test_derivatives_of_a_parabola_are_exact_far_from_the_ends() -> None:
    position = np.arange(30.0)
    x = torch.from_numpy(0.5 * position**2 - 3 * position).float()[None, None]
    weights, frames = torch.from_numpy(derivative_weights(9)), torch.tensor([30])
    first, second = (delta(x, frames, weights[order])[0, 0, 4:-4].numpy() for order in (0, 1))
    np.testing.assert_allclose(first, position[4:-4] - 3, atol=1e-4)
    np.testing.assert_allclose(second, 1.0, atol=1e-4)
