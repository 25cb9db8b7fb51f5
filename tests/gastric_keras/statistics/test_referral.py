"""The referral curve against hand-made cases, and its intervals."""

from __future__ import annotations

import numpy as np
import pytest

from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.referral import (
    SHARES,
    binary_entropy,
    referral_curve,
)


def test_the_wrong_and_unsure_go_first() -> None:
    # Four right, one wrong; the wrong one is the least sure.
    label = np.array([1, 1, 0, 0, 1])
    score = np.array([0.9, 0.8, 0.1, 0.2, 0.45])
    doubt = np.abs(0.5 - score) * -1
    case = np.array(list("abcde"))
    curve = referral_curve(label, score, case, doubt=doubt, threshold=0.5)
    at = dict(zip(curve.shares, curve.accuracy, strict=True))
    assert at[0.0] == pytest.approx(0.8)
    # Half of the wrong patch is referred: 4 of 4.5 are right.
    assert at[0.1] == pytest.approx(4 / 4.5)
    assert [at[share] for share in (0.2, 0.5, 0.9)] == pytest.approx([1.0, 1.0, 1.0])
    worst = referral_curve(label, score, case, doubt=-doubt, threshold=0.5)
    assert worst.accuracy[-1] == pytest.approx(0.0)


def test_doubt_that_knows_nothing_keeps_the_accuracy() -> None:
    rng = np.random.default_rng(0)
    label, score = rng.integers(0, 2, 4000), rng.random(4000)
    case = np.arange(4000).astype(str)
    doubt = rng.random(4000)
    curve = referral_curve(
        label, score, case, doubt=doubt, threshold=0.5, draws=Draws(100)
    )
    assert np.allclose(curve.accuracy[:10], curve.accuracy[0], atol=0.02)


def test_intervals_are_by_case() -> None:
    rng = np.random.default_rng(1)
    label = np.tile([0, 1], 200)
    score = np.clip(0.5 + (label - 0.5) * 0.6 + rng.normal(0, 0.3, 400), 0, 1)
    few, many = np.repeat(np.arange(8), 50).astype(str), np.arange(400).astype(str)
    # What a case has in common: its patches are right or wrong together.
    score = np.where(few == "3", 1 - label * 0.8 - 0.1, score)
    doubt = binary_entropy(score)

    def width(case: np.ndarray) -> float:
        curve = referral_curve(
            label, score, case, doubt=doubt, threshold=0.5, draws=Draws(300)
        )
        low, value, high = curve.low[0], curve.accuracy[0], curve.high[0]
        assert low < value < high and len(curve.low) == len(SHARES)
        return high - low

    assert width(few) > 2 * width(many)
    one = np.array(["a"] * 400)
    curve = referral_curve(label, score, one, doubt=doubt, threshold=0.5)
    assert curve.low == () and "one case only" in str(curve.reason)


def test_entropy_in_bits() -> None:
    found = binary_entropy(np.array([0.0, 0.5, 1.0, 0.25]))
    assert found == pytest.approx([0, 1, 0, 0.8112781])
