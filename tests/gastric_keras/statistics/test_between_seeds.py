"""Settings that were trained once borrow the variance of those trained more often."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from gastric_keras.statistics.between_seeds import Rows, seed_variance
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import PooledDifference, pool_differences

FIVE = np.array([0.05, 0.01, 0.03, 0.07, -0.01])


def test_a_setting_with_one_seed_borrows_by_hand() -> None:
    value = np.append(FIVE, 0.2)
    # The choice of cases shifts all alike: it explains nothing between seeds.
    drawn = value[:, None] + np.linspace(-0.1, 0.1, 50)
    variance = FIVE.var(ddof=1)
    own = variance / 5 / 4  # of a mean over five, at half the weight
    for base, shared in (([0, 1, 2, 3, 4, 9], 0), ([0, 1, 2, 3, 4, 0], 0.5)):
        rows = Rows(
            np.array([0] * 5 + [1]), np.array([0, 1, 2, 3, 4, 0]), np.array(base)
        )
        found = seed_variance(value, drawn, rows)
        # One of two trainings in common: half the variance is, once in each order.
        common = 2 * shared * variance * (1 / 2) * (1 / 10)
        assert found.net == pytest.approx(own + variance / 4 + common)
        assert (found.gross, found.degrees) == pytest.approx((found.net, 4))


def test_covariances_come_from_pairs_of_one_kind() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (3, 4))
    value = np.append((noise[1:] - noise[0]).ravel(), [0.0, 0.0])
    setting = np.array([0] * 4 + [1] * 4 + [2, 3])
    seed = np.array([0, 1, 2, 3] * 2 + [7, 7])  # another seed than any of the others
    base = np.array([0, 1, 2, 3] * 2 + [9, 9])
    a, b = value[:4], value[4:8]
    covariance = np.cov(a, b)
    pooled = (covariance[0, 0] + covariance[1, 1]) / 2
    expected = (a + b).var(ddof=1) / 4 / 16
    expected += (2 * pooled + 2 * covariance[0, 1]) / 16
    found = seed_variance(value, np.tile(value[:, None], 9), Rows(setting, seed, base))
    assert found.gross == pytest.approx(expected)


def test_nothing_is_borrowed_where_none_has_several() -> None:
    rows = Rows(np.arange(3), np.zeros(3, int), np.arange(3))
    assert not rows.is_borrowing.any()
    assert seed_variance(FIVE[:3], np.tile(FIVE[:3, None], 9), rows).degrees == 0


def test_what_the_cases_explain_is_not_counted_twice() -> None:
    drawn = np.random.default_rng(1).normal(0, 0.05, (6, 4000))
    rows = Rows(np.array([0] * 5 + [1]), np.array([0, 1, 2, 3, 4, 0]), np.arange(6))
    found = seed_variance(np.append(FIVE, 0.0), drawn, rows)
    assert found.net == 0 and found.gross > 0


def pooled_null(seed: int, seeds: tuple[int, ...]) -> PooledDifference:
    """A setting for each number of seeds, all without a difference, on 54 cases."""
    rng = np.random.default_rng([5, seed])
    cases = rng.normal(0, 0.05, (len(seeds), 54))
    picks = rng.integers(54, size=(200, 54))
    value, drawn, setting, replicate = [], [], [], []
    for number, count in enumerate(seeds):
        for training in range(count):
            shift = rng.normal(0, 0.02)
            value.append(cases[number].mean() + shift)
            drawn.append(cases[number][picks].mean(axis=1) + shift)
            setting.append(f"{number}")
            replicate.append(f"{training}")
    return pool_differences(
        np.array(value),
        np.array(drawn),
        setting=setting,
        replicate=replicate,
        cases=54,
        draws=Draws(200, seed=seed),
    )


@pytest.mark.parametrize("seeds", [(5, 1, 1), (5, 5, 5)])
def test_size_of_the_pooled_test_with_unequal_seeds(seeds: tuple[int, ...]) -> None:
    found = [pooled_null(trial, seeds) for trial in range(400)]
    assert (found[0].seeds, found[0].borrowed) == (min(seeds), seeds.count(1))
    assert 0.02 < np.mean([each.p_value < 0.05 for each in found]) < 0.08


def test_an_interval_with_borrowed_variance() -> None:
    value = np.append(FIVE, 0.04)
    drawn = value[:, None] + np.random.default_rng(2).normal(0, 1e-6, 4000)
    found = pool_differences(
        value,
        drawn,
        setting=["a"] * 5 + ["b"],
        replicate=list("012347"),
        cases=54,
        draws=Draws(4000),
    )
    half = (FIVE.var(ddof=1) * (1 / 5 + 1) / 4) ** 0.5 * t.ppf(0.975, 4)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert (found.settings, found.seeds, found.borrowed) == (2, 1, 1)
