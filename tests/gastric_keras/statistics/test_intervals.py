"""Small-sample intervals against Student's own, and the rules at the ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from gastric_keras.statistics.intervals import (
    FewCases,
    percentiles,
    share_interval,
    too_few,
    two_sided_p,
    wide_percentiles,
)


def means(n: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n normal values and 200,000 bootstrap draws of their mean."""
    rng = np.random.default_rng(seed)
    values = rng.normal(shift, 1, n)
    times = rng.multinomial(n, [1 / n] * n, 200_000)
    return values, times @ values / n


@pytest.mark.parametrize("n", [8, 20])
def test_a_mean_of_few_gets_students_interval_and_p(n: int) -> None:
    values, drawn = means(n, 0.5)
    few = FewCases(n / (n - 1), n - 1)
    expected = ttest_1samp(values, 0)
    low, high = wide_percentiles(drawn, few, confidence=0.95)
    interval = expected.confidence_interval(0.95)
    assert (low, high) == pytest.approx(tuple(interval), abs=0.06)
    assert two_sided_p(drawn, few) == pytest.approx(expected.pvalue, rel=0.15)
    # The plain percentiles are too narrow by a fifth and more where n is 8.
    plain = np.subtract(*percentiles(drawn, 0.95)) / np.subtract(*interval)
    assert plain < (0.8 if n == 8 else 0.95)


def test_with_many_cases_they_are_the_plain_percentiles() -> None:
    _, drawn = means(30, 0.2)
    wide = wide_percentiles(drawn, FewCases(1.0, 1e9), confidence=0.9)
    assert wide == pytest.approx(percentiles(drawn, 0.9), abs=1e-6)
    share = (drawn < 0).mean()
    assert two_sided_p(drawn, FewCases(1.0, 1e9)) == pytest.approx(2 * share)


@pytest.mark.parametrize("degrees", [3, 9, 50])
def test_the_interval_leaves_out_0_where_p_is_small(degrees: int) -> None:
    few = FewCases((degrees + 1) / degrees, degrees)
    found = set()
    for shift in np.linspace(-5, 5, 201):
        drawn = np.random.default_rng(1).normal(shift, 1, 1000)
        low, high = wide_percentiles(drawn, few, confidence=0.95)
        p = two_sided_p(drawn, few)
        # Up to the grain of the draws: not where p is 0.05 to a tenth.
        if abs(p - 0.05) > 0.005:
            assert (p < 0.05) == (low > 0 or high < 0), shift
            found.add(p < 0.05)
        assert 0 < p <= 1
    assert found == {True, False}


def test_p_beyond_the_grain_of_the_draws_still_falls() -> None:
    rng = np.random.default_rng(0)
    p = [two_sided_p(rng.normal(z, 1, 1000), FewCases(1.0, 1e9)) for z in (3.5, 4.5, 6)]
    assert p[0] > p[1] > p[2] > 0
    assert p[2] < 1e-6


def test_p_of_no_difference_is_1() -> None:
    assert two_sided_p(np.zeros(200), FewCases(1.1, 9)) == 1
    ties = np.array([0.0] * 180 + [0.1] * 20)
    assert two_sided_p(ties, FewCases(1.1, 9)) > 0.5
    # Every draw the same and none 0: as sure as draws can be.
    assert two_sided_p(np.full(200, 0.2), FewCases(1.1, 9)) < 1e-6


def test_share_interval_by_hand() -> None:
    drawn = np.array([0.8, 0.9, 1.0])  # standard deviation 0.1, times sqrt(2) below
    few = {"cases": 2, "degrees": 1, "confidence": 0.5}  # t of one degree at 75 %: 1
    low, high = share_interval(0.9, drawn, **few)
    half = 0.1 * 2**0.5 / 0.09
    assert low == pytest.approx(1 / (1 + np.exp(half) / 9))
    assert high == pytest.approx(1 / (1 + np.exp(-half) / 9))
    low, high = share_interval(0.9, drawn, **few, is_logit=False)
    assert (low, high) == pytest.approx((0.9 - 0.1 * 2**0.5, 1.0))


def test_too_few() -> None:
    assert too_few(90, 100, 2) is None
    assert "defined in only 89 of 100 draws" in str(too_few(89, 100, 2))
    assert "one case only" in str(too_few(100, 100, 1))
