"""The oracles are scipy's bootstrap, permutation test and quantiles, and simulated runs that do not differ."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from serkit.lab.measure.intervals import student_quantile
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.lab.measure.significance import holm, paired_difference

CLASSES = 4


def simulate(
    rng: np.random.Generator, *, speakers: int = 12, each: int = 24, seeds: tuple[int, int] = (1, 1), gain: float = 0.0
) -> tuple[Any, ...]:
    """Draw two runs' answers; speakers differ in how well each run knows them, and classes in how often they occur."""
    names = np.repeat([f"toy/{i:02d}" for i in range(speakers)], each)
    true = rng.choice(CLASSES, len(names), p=[0.4, 0.3, 0.2, 0.1])
    ease = rng.normal(0.5, 0.5, speakers)
    found = []
    for count, more in zip(seeds, (gain, 0.0), strict=True):
        skill = np.repeat(ease + rng.normal(0, 0.5, speakers), each) + more
        right = rng.random((count, len(names))) < 1 / (1 + np.exp(-skill))
        wrong = (true + rng.integers(1, CLASSES, (count, len(names)))) % CLASSES
        found.append(np.where(right, true, wrong))
    return true, *found, names


def uar_of(true: Any, answers: Any) -> float:
    return float(np.mean([uar(confusion_matrix(true, row, CLASSES)) for row in answers]))


def gap_over(groups: Any, true: Any, first: Any, second: Any) -> Any:
    """Return a statistic of drawn groups for scipy."""

    def gap(drawn: Any) -> float:
        place = np.concatenate([groups[int(i)] for i in drawn])
        return uar_of(true[place], first[:, place]) - uar_of(true[place], second[:, place])

    return gap


def test_the_difference_is_that_of_the_mean_uar_over_seeds() -> None:
    true, first, second, names = simulate(np.random.default_rng(0), seeds=(3, 2), gain=0.5)
    found = paired_difference(true, first, second, names, CLASSES)
    assert found.value == pytest.approx(uar_of(true, first) - uar_of(true, second), abs=1e-12)
    assert found.low < found.value < found.high
    assert found.over == "speakers"


def test_the_interval_is_scipys_bootstrap_over_speakers_at_the_widened_level() -> None:
    true, first, second, names = simulate(np.random.default_rng(1), seeds=(2, 1), gain=0.6)
    found = paired_difference(true, first, second, names, CLASSES)
    groups = [np.flatnonzero(names == name) for name in np.unique(names)]
    n = len(groups)
    level = 1 - 2 * stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
    assert level > 0.95
    expected = stats.bootstrap(
        (np.arange(n),), gap_over(groups, true, first, second), vectorized=False, n_resamples=4000,
        confidence_level=level, method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert found.low == pytest.approx(expected.low, abs=0.01)
    assert found.high == pytest.approx(expected.high, abs=0.01)


@pytest.mark.parametrize(("speakers", "gain"), [(8, 0.5), (12, 0.0), (20, 0.5)])
def test_the_p_value_is_that_of_scipys_permutation_test(speakers: int, gain: float) -> None:
    true, first, second, names = simulate(np.random.default_rng(2), speakers=speakers, gain=gain)
    found = paired_difference(true, first, second, names, CLASSES)
    groups = [np.flatnonzero(names == name) for name in np.unique(names)]

    right = [
        [np.sum((a[0] == true)[g] & (true[g] == c)) for c in range(CLASSES)] for a in (first, second) for g in groups
    ]
    counts, support = np.array(right), np.bincount(true, minlength=CLASSES)

    def gap(one: Any, other: Any) -> float:
        """Take rows of ``counts``: a swap changes recall's numerators alone."""
        return float(np.mean((counts[one.astype(int)] - counts[other.astype(int)]).sum(0) / support))

    rows = np.arange(speakers), np.arange(speakers) + speakers
    expected = stats.permutation_test(
        rows, gap, permutation_type="samples", vectorized=False, n_resamples=8000, rng=np.random.default_rng(0)
    )
    assert found.value == pytest.approx(expected.statistic, abs=1e-12)
    exact = 2**speakers <= 8000
    assert found.p == pytest.approx(expected.pvalue, abs=1e-9 if exact else 0.02)


@pytest.mark.parametrize("speakers", [6, 10, 24])
def test_p_is_about_uniform_and_intervals_cover_zero_where_runs_do_not_differ(speakers: int) -> None:
    rng = np.random.default_rng(3)
    found = [
        paired_difference(*simulate(rng, speakers=speakers), CLASSES, draws=1000, seed=k) for k in range(500)
    ]  # fmt: skip
    p = np.array([one.p for one in found])
    step = 2 / 2**speakers if speakers <= 9 else 0.0  # of the exact p of few speakers
    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        share, error = np.mean(p <= level), 3 * np.sqrt(level * (1 - level) / len(p))
        assert level - error - step <= share <= level + error, level
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    assert 0.91 <= covered <= 0.98


def test_a_real_difference_is_found() -> None:
    found = paired_difference(*simulate(np.random.default_rng(4), speakers=24, gain=1.5), CLASSES)
    assert found.low > 0
    assert found.p < 0.001


def test_swapping_the_runs_swaps_the_sign_alone() -> None:
    true, first, second, names = simulate(np.random.default_rng(5), gain=0.3, seeds=(1, 3))
    one, other = (paired_difference(true, *pair, names, CLASSES) for pair in ((first, second), (second, first)))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)
    assert one.p == other.p


@pytest.mark.parametrize("speakers", [2, 12])
def test_a_run_does_not_differ_from_itself(speakers: int) -> None:
    true, first, _, names = simulate(np.random.default_rng(6), speakers=speakers)
    found = paired_difference(true, first, first, names, CLASSES)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_two_seeds_of_one_answer_are_as_good_as_one() -> None:
    true, first, second, names = simulate(np.random.default_rng(7), gain=0.5)
    once = paired_difference(true, first, second, names, CLASSES)
    assert paired_difference(true, np.repeat(first, 2, axis=0), second, names, CLASSES) == once


def test_the_order_of_utterances_changes_nothing() -> None:
    true, first, second, names = simulate(np.random.default_rng(8), speakers=3, gain=0.5, seeds=(2, 2))
    order = np.random.default_rng(0).permutation(len(true))
    mixed = paired_difference(true[order], first[:, order], second[:, order], names[order], CLASSES)
    assert mixed == paired_difference(true, first, second, names, CLASSES)


def test_a_class_that_nobody_speaks_does_not_count() -> None:
    true, first, second, names = simulate(np.random.default_rng(9), gain=0.5)
    assert paired_difference(true, first, second, names, CLASSES + 2).value == pytest.approx(
        paired_difference(true, first, second, names, CLASSES).value
    )


def test_a_class_of_one_speaker_may_be_missing_from_a_draw() -> None:
    true, first, second, names = simulate(np.random.default_rng(10), speakers=6)
    true = np.where(names == names[0], true, true % 2)
    found = paired_difference(true, first, second, names, CLASSES)
    assert np.isfinite([found.low, found.high, found.p]).all()


# Few speakers


def test_with_few_speakers_utterances_are_drawn_within_them_as_scipy_draws_them() -> None:
    true, first, second, names = simulate(np.random.default_rng(11), speakers=1, each=200, gain=0.5)
    found = paired_difference(true, first, second, names, CLASSES)
    assert found.over == "utterances within speakers"
    single = [np.array([i]) for i in range(len(true))]
    expected = stats.bootstrap(
        (np.arange(len(true)),), gap_over(single, true, first, second), vectorized=False, n_resamples=2000,
        method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert found.low == pytest.approx(expected.low, abs=0.015)
    assert found.high == pytest.approx(expected.high, abs=0.015)


def test_with_few_speakers_p_is_about_uniform_over_utterances() -> None:
    """Runs that differ by chance alone; a difference of the speakers themselves is what this cannot see."""
    rng, p = np.random.default_rng(12), []
    for k in range(400):
        names, true = np.repeat(["a", "b", "c"], 60), rng.integers(0, CLASSES, 180)
        answers = [np.where(rng.random((1, 180)) < 0.6, true, (true + 1) % CLASSES) for _ in range(2)]
        p.append(paired_difference(true, *answers, names, CLASSES, draws=1000, seed=k).p)
    for level in (0.05, 0.25, 0.5):
        assert abs(np.mean(np.array(p) <= level) - level) <= 3 * np.sqrt(level * (1 - level) / len(p)), level


# Corrections and distributions


def test_holms_correction_multiplies_rank_by_rank_and_never_falls() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    assert holm([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.06, 0.06, 0.5])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([0.03, 0.01]) == pytest.approx([0.03, 0.02])


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 23, 120, 1001])
def test_quantiles_of_students_distribution_are_scipys(freedom: int) -> None:
    assert student_quantile(0.95, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)
