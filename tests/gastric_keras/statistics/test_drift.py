"""Distances against SciPy's, and what chance makes of cases of one hospital."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.drift import score_drift, shift_of, spread_of


def side(rng: np.random.Generator, cases: int, mean: float) -> tuple:
    case = np.repeat(np.arange(cases), 5)
    score = mean + rng.normal(0, 0.1, cases)[case] + rng.normal(0, 0.05, case.size)
    # With ties: the functions have no value inside a run of equal scores.
    return score.clip(0, 1).round(2), np.array([f"c{i}" for i in case])


@pytest.mark.parametrize("means", [(0.5, 0.5), (0.4, 0.7)])
def test_distances_are_scipys(means: tuple[float, float]) -> None:
    rng = np.random.default_rng(3)
    before, after = side(rng, 12, means[0]), side(rng, 9, means[1])
    found = score_drift("malignant", before, after, Draws(200))
    assert found.ks.value == pytest.approx(ks_2samp(before[0], after[0]).statistic)
    expected = wasserstein_distance(before[0], after[0])
    assert found.wasserstein.value == pytest.approx(expected)
    for distance in (found.ks, found.wasserstein):
        assert distance.by_chance is not None
        assert (distance.value > distance.by_chance) is (means[0] != means[1])
    # Cases are dealt whole: patch by patch, chance would reach less far.
    loose = score_drift(
        "malignant", *((s, np.arange(s.size)) for s in (before[0], after[0]))
    )
    assert loose.ks.by_chance < found.ks.by_chance


def test_one_case_cannot_be_dealt() -> None:
    rng = np.random.default_rng(0)
    found = score_drift("x", side(rng, 1, 0.5), side(rng, 9, 0.5))
    assert found.ks.by_chance is found.wasserstein.by_chance is None


def test_a_shift_by_hand() -> None:
    before, after = np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0])
    found = shift_of("eosin", before, after, confidence=0.95)
    assert found.smd == pytest.approx(2.0)
    half = 1.959964 * (6 / 9 + 4 / 12) ** 0.5
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))
    assert shift_of("x", before[:1], after, confidence=0.95).smd is None
    assert shift_of("x", np.ones(3), np.ones(3), confidence=0.95).smd is None
    spread = spread_of(np.array([0.5]), np.array(["a"]))
    assert (spread.deviation, spread.quantiles[2], spread.cases) == (0.0, 0.5, 1)
