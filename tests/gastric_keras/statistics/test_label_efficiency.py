"""Reading a curve backwards, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.label_efficiency import (
    Saving,
    curve_points,
    labels_for,
    savings,
    spell_saving,
)

#: So many cases that nothing is widened.
MANY = {"draws": Draws(), "cases": 10**6}


def test_labels_are_read_on_a_log_scale() -> None:
    curve = ([10, 1000], [0.8, 0.9])
    assert labels_for(0.85, *curve) == pytest.approx(100)
    assert labels_for(0.8, *curve) == 10 and labels_for(0.1, *curve) == 10
    assert labels_for(0.9, *curve) == pytest.approx(1000)
    assert labels_for(0.91, *curve) == 1000


def test_a_curve_that_dips_is_made_to_rise() -> None:
    # 0.86 and 0.84 pool to 0.85: reached where the rise begins, at the first of them.
    curve = ([10, 100, 1000], [0.86, 0.84, 0.95])
    assert labels_for(0.85, *curve) == 10
    assert labels_for(0.90, *curve) == pytest.approx(10**2.5)


def test_savings_are_made_on_common_draws() -> None:
    shift = np.linspace(-0.02, 0.02, 41)
    one = {10.0: [0.8], 1000.0: [0.9]}
    two = {10.0: [0.85], 1000.0: [0.95]}
    one_drawn = {n: auc[0] + shift for n, auc in one.items()}
    # The draws move both alike: the interval is a point.
    few, many = savings(
        one, two, one_drawn, {n: a[0] + shift for n, a in two.items()}, **MANY
    )
    assert (few.low, few.equal, few.high) == pytest.approx((100, 100, 100))
    assert (many.low, many.equal, many.high) == (1000, 1000, 1000)
    # They move two stages alone: one decade for each 0.05.
    alone = savings(
        one, two, {n: np.full(41, a[0]) for n, a in one.items()},
        {n: a[0] + shift for n, a in two.items()}, **MANY,
    )[0]  # fmt: skip
    assert alone.low == pytest.approx(10 ** (2 - 2 * 0.19), rel=1e-6)
    assert alone.high == pytest.approx(10 ** (2 + 2 * 0.19), rel=1e-6)


def test_a_band_leaves_out_what_is_not_defined() -> None:
    drawn = {5.0: np.array([0.7, np.nan, 0.9]), 2.0: np.full(3, np.nan)}
    two, five = curve_points(
        {5.0: [0.8, 0.9], 2.0: [0.6]}, drawn, draws=Draws(confidence=0.5), cases=10**6
    )
    assert (two.labels, two.low, two.high, two.seeds) == (2, None, None, 1)
    assert (five.auc, five.low, five.high) == pytest.approx((0.85, 0.75, 0.85))


def test_few_cases_widen_band_and_interval() -> None:
    drawn = {5.0: np.linspace(0.7, 0.9, 1001), 50.0: np.linspace(0.8, 1.0, 1001)}
    auc = {5.0: [0.8], 50.0: [0.9]}
    (few, _), (many, _) = (
        curve_points(auc, drawn, draws=Draws(confidence=0.9), cases=cases)
        for cases in (10, 10**6)
    )
    assert few.low < many.low < many.high < few.high
    # z = sqrt(10/9) t = 1.932: 94.7 % of the draws, by the tables of t and normal.
    assert few.high - few.low == pytest.approx(0.9467 * 0.2, abs=1e-4)
    narrow, wide = (
        savings(
            auc,
            {20.0: [0.85]},
            {5.0: np.full(1001, 0.8), 50.0: np.full(1001, 0.9)},
            {20.0: np.linspace(0.81, 0.89, 1001)},
            draws=Draws(confidence=0.9),
            cases=cases,
        )[0]
        for cases in (10**6, 10)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_one_case_gives_no_interval() -> None:
    drawn = {5.0: np.linspace(0.7, 0.9, 9), 50.0: np.linspace(0.8, 1.0, 9)}
    auc = {5.0: [0.8], 50.0: [0.9]}
    for point in curve_points(auc, drawn, draws=Draws(), cases=1):
        assert (point.low, point.high) == (None, None)
    assert savings(auc, auc, drawn, drawn, draws=Draws(), cases=1) == ()


def test_the_sentence_says_where_the_range_ends() -> None:
    saving = Saving(20, 31.4, 20, 694, (20, 694))
    assert spell_saving("AlexNet, tissue", saving) == (
        "AlexNet, tissue: two stages with 20 labels a class equal one stage with 31 "
        "(95 % interval 20 or fewer to 694 or more)."
    )
