"""Functionals against NumPy and SciPy in float64, right to 1e-4 of a descriptor's spread."""

import numpy as np
import pytest
import torch

from serkit.lab.signal.functionals import FUNCTIONALS, functionals
from support.front_claims import Array
from support.functionals_oracle import expected_functionals

RATE = 31.25  # frames per second


def found_functionals(x: Array, *, extra: int = 0) -> dict[str, float]:
    padded = np.concatenate([x, np.full(extra, 1e6)]).astype(np.float32)
    row = functionals(torch.from_numpy(padded)[None, None], torch.tensor([len(x)]), frame_rate=RATE)
    return dict(zip(FUNCTIONALS, row[0, 0].tolist(), strict=True))


def test_there_are_16() -> None:
    assert len(set(FUNCTIONALS)) == 16
    assert set(expected_functionals(np.arange(9.0), RATE)) == set(FUNCTIONALS)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 20, 21, 100, 777])
@pytest.mark.parametrize("offset", [0.0, -300.0])
@pytest.mark.parametrize("extra", [0, 1, 50])
def test_functionals_equal_numpy_and_scipy(size: int, offset: float, extra: int) -> None:
    x = np.random.default_rng(size).gamma(2, 3, size).astype(np.float32).astype(np.float64) + offset
    x = x.astype(np.float32).astype(np.float64)
    found, expected = found_functionals(x, extra=extra), expected_functionals(x, RATE)
    for name in FUNCTIONALS:
        assert found[name] == pytest.approx(expected[name], rel=1e-4, abs=3e-4), name


@pytest.mark.parametrize("value", [0.0, 0.1, -1131.37, 1e-20])
@pytest.mark.parametrize("size", [1, 2, 79])
def test_of_a_constant_all_but_the_mean_and_the_order_is_0(value: float, size: int) -> None:
    found = found_functionals(np.full(size, value), extra=10)
    same = ("mean", "minimum", "percentile_5", "quartile_1", "median", "quartile_3", "percentile_95", "maximum")
    for name in FUNCTIONALS:
        expected = np.float32(value) if name in same else 0.0
        assert found[name] == pytest.approx(float(expected), rel=1e-6, abs=1e-3 * abs(value)), name
        assert name not in ("skewness", "kurtosis") or found[name] == 0


def test_a_slope_is_per_second() -> None:
    found = found_functionals(3.0 * np.arange(100) / RATE + 7)
    assert found["slope"] == pytest.approx(3.0, rel=1e-5)
    assert found["slope_error"] == pytest.approx(0.0, abs=1e-5)
