import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation, trim_silence

lengths_and_padding = st.tuples(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 6))


def random_frames(seed: int, batch: int, size: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((batch, 3, size)).astype(np.float32))


def test_a_mask_holds_as_many_ones_as_the_length_says_and_they_come_first() -> None:
    assert frame_mask(torch.tensor([0, 1, 3]), 3).tolist() == [[False] * 3, [True, False, False], [True] * 3]


def test_a_mask_is_bool_whatever_the_lengths_are() -> None:
    for dtype in (torch.int32, torch.int64):
        assert frame_mask(torch.tensor([2], dtype=dtype), 3).dtype == torch.bool


@given(lengths_and_padding, st.integers(0, 2**32 - 1), st.sampled_from([(2,), (1, 2)]))
def test_mean_and_deviation_are_those_of_the_valid_frames(
    shape: tuple[list[int], int], seed: int, dim: tuple[int, ...]
) -> None:
    lengths, padding = shape
    size = max(lengths) + padding
    x = random_frames(seed, len(lengths), size)
    mask = frame_mask(torch.tensor(lengths), size)[:, None, :].float()
    mean, deviation = masked_mean_and_deviation(x, mask, dim, 0.0)
    for row, found_mean, found_deviation, length in zip(x, mean, deviation, lengths, strict=True):
        valid = row[:, :length].double().numpy()
        axis = 1 if dim == (2,) else (0, 1)
        np.testing.assert_allclose(found_mean.squeeze(), valid.mean(axis), atol=1e-6)
        np.testing.assert_allclose(found_deviation.squeeze(), valid.std(axis), atol=1e-6)


def test_the_floor_is_added_to_the_variance_so_that_a_constant_has_a_deviation() -> None:
    _, deviation = masked_mean_and_deviation(torch.ones(1, 2, 4), torch.ones(1, 1, 4), (2,), 1e-4)
    assert deviation.flatten().tolist() == pytest.approx([0.01, 0.01])


def test_an_utterance_without_a_valid_frame_stays_finite() -> None:
    mean, deviation = masked_mean_and_deviation(torch.ones(1, 2, 4), torch.zeros(1, 1, 4), (1, 2), 1e-4)
    assert mean.flatten().tolist() == [0.0]
    assert torch.isfinite(deviation).all()


@given(lengths_and_padding, st.integers(0, 2**32 - 1), st.floats(0, 4))
def test_trimming_equals_slicing_each_utterance(shape: tuple[list[int], int], seed: int, threshold: float) -> None:
    lengths, padding = shape
    size = max(lengths) + padding
    x = random_frames(seed, len(lengths), size)
    level = random_frames(seed + 1, len(lengths), size)[:, 0]
    trimmed, kept = trim_silence(x, torch.tensor(lengths), level, threshold)
    assert trimmed.shape == x.shape
    for row, loudness, found, count, length in zip(x, level, trimmed, kept.tolist(), lengths, strict=True):
        active = torch.nonzero(loudness[:length] >= loudness[:length].max() - threshold).flatten()
        expected = row[:, int(active[0]) : int(active[-1]) + 1]
        assert count == expected.shape[1]
        assert torch.equal(found[:, :count], expected)
        assert not found[:, count:].any()


def test_trimming_a_single_frame_keeps_it() -> None:
    x = torch.full((1, 3, 1), 2.0)
    trimmed, kept = trim_silence(x, torch.tensor([1]), torch.tensor([[-9.0]]), 3.0)
    assert torch.equal(trimmed, x)
    assert kept.tolist() == [1]


def test_a_loud_frame_behind_the_end_counts_for_nothing() -> None:
    level = torch.tensor([[0.0, 5.0, 0.0, 99.0]])
    _, kept = trim_silence(torch.ones(1, 3, 4), torch.tensor([3]), level, 1.0)
    assert kept.tolist() == [1]
