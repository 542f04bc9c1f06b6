"""Operations on contours against NumPy, row by row."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from serkit.lab.signal.contour import compact, mean_and_deviation, runs, slopes, smooth

TOLERANCE = 1e-5
masks = st.lists(st.booleans(), min_size=1, max_size=40)


def contour(size: int) -> np.ndarray:
    return np.random.default_rng(size).standard_normal(size).astype(np.float32)


@given(masks)
def test_runs_are_those_of_a_loop(held: list[bool]) -> None:
    text = "".join("x" if value else " " for value in held).split()
    found = runs(torch.tensor([held]))
    lengths = [len(run) for run in text] or [0]
    assert float(found.number) == len(text)
    assert float(found.length) == pytest.approx(np.mean(lengths), abs=TOLERANCE)
    assert float(found.deviation) == pytest.approx(np.std(lengths), abs=TOLERANCE)


@given(masks)
def test_compact_moves_what_is_held_to_the_front_in_order(held: list[bool]) -> None:
    x, mask = contour(len(held)), np.array(held)
    moved, in_front = compact(torch.from_numpy(x)[None], torch.from_numpy(mask)[None])
    assert in_front[0].tolist() == [i < mask.sum() for i in range(len(held))]
    np.testing.assert_array_equal(moved[0, : mask.sum()].numpy(), x[mask])


@given(masks)
def test_mean_and_deviation_are_numpys(held: list[bool]) -> None:
    x, mask = contour(len(held)), np.array(held)
    mean, deviation = mean_and_deviation(torch.from_numpy(x)[None, None], torch.from_numpy(mask)[None])
    kept = x[mask] if mask.any() else np.zeros(1)
    assert float(mean) == pytest.approx(kept.mean(), abs=TOLERANCE)
    assert float(deviation) == pytest.approx(kept.std(), abs=TOLERANCE)


def test_smoothing_averages_neighbors_inside_the_mask_alone() -> None:
    x = torch.tensor([[[1.0, 2.0, 100.0, 4.0, 8.0, 6.0]]])
    mask = torch.tensor([[True, True, False, True, True, True]])
    assert smooth(x, mask)[0, 0].tolist() == [1.5, 1.5, 0.0, 6.0, 6.0, 7.0]


def test_slopes_are_those_between_peaks_and_valleys() -> None:
    x = np.concatenate([np.linspace(0, 10, 11), np.linspace(9, 0, 10), np.linspace(0.5, 10, 20), [77.0] * 5])
    mask = torch.arange(len(x))[None] < len(x) - 5
    found = slopes(torch.from_numpy(x)[None], mask)
    assert float(found.rising) == pytest.approx((1 + 0.5) / 2)
    assert float(found.rising_deviation) == pytest.approx(0.25)
    assert float(found.falling) == pytest.approx(1)
    assert float(found.falling_deviation) == pytest.approx(0)


@pytest.mark.parametrize("x", [[1.0], [1.0, 1.0], [3.0] * 30, []])
def test_what_does_not_move_has_no_slopes_and_no_peaks(x: list[float]) -> None:
    values = torch.tensor([[*x, 5.0, 9.0]])
    found = slopes(values, torch.arange(len(x) + 2)[None] < len(x))
    assert [float(number) for number in found] == [0.0] * 5
