"""McNemar against scipy, by hand, and where patches of a case go together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp

from gastric_keras.statistics.mcnemar import mcnemar_test
from gastric_keras.support.errors import InputError


def calls(only_a: int, only_b: int, both: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.array([True] * only_a + [False] * only_b + [True] * both)
    b = np.array([False] * only_a + [True] * only_b + [True] * both)
    return a, b


def test_the_exact_test_by_hand() -> None:
    a, b = calls(1, 7, 12)
    found = mcnemar_test(a, b, range(20))
    # Two tails of eight fair coins: 0 or 1 heads, 2·(1 + 8)/256.
    assert found.p_value == pytest.approx(2 * 9 / 256)
    assert found.p_value == pytest.approx(2 * binom.cdf(1, 8, 0.5))
    assert (found.only_a, found.only_b) == (1, 7)
    assert found.difference == pytest.approx(6 / 20)
    assert mcnemar_test(b, a, range(20)).p_value == pytest.approx(found.p_value)


def test_one_patch_a_case_is_the_paired_t_test() -> None:
    a, b = calls(3, 11, 30)
    expected = ttest_1samp(b.astype(float) - a, 0).pvalue
    assert mcnemar_test(a, b, range(44)).p_clustered == pytest.approx(expected)


def test_clustered_by_hand() -> None:
    # Gains of the cases: 2 of 3, 0 of 2, 1 of 1, so D = 1/2 and the gaps are
    # 1/2, -1, 1/2: error² = 3/2·(1/4 + 1 + 1/4)/36 = 1/16, t = 2 with two degrees.
    a = np.array([0, 0, 1, 1, 0, 0], bool)
    b = np.array([1, 1, 1, 1, 0, 1], bool)
    found = mcnemar_test(a, b, list("xxxyyz"))
    assert found.p_clustered == pytest.approx(1 - 2 / 6**0.5)  # t of two degrees at 2
    assert found.p_value == pytest.approx(0.25)


def test_copied_patches_fool_the_exact_test_only() -> None:
    a, b = calls(4, 9, 20)
    once = mcnemar_test(a, b, range(33))
    case = np.repeat(np.arange(33), 8)
    many = mcnemar_test(a.repeat(8), b.repeat(8), case)
    assert many.p_clustered == pytest.approx(once.p_clustered) and once.p_value > 0.2
    assert many.p_value < 1e-3


def test_what_cannot_be_told() -> None:
    a, b = calls(0, 0, 5)
    same = mcnemar_test(a, b, range(5))
    assert (same.difference, same.p_value, same.p_clustered) == (0, 1, 1)
    a, b = calls(0, 4, 0)
    alike = mcnemar_test(a, b, range(4))
    assert alike.p_clustered is None and "every case differs alike" in str(alike.reason)
    one = mcnemar_test(a, b, ["x"] * 4)
    assert one.p_clustered is None and "one case only" in str(one.reason)
    assert one.p_value == pytest.approx(0.125)


@pytest.mark.parametrize(
    "a, b", [([True], [True, False]), ([], []), ([1, 0], [1, 0]), ([[True]], [[True]])]
)
def test_bad_input(a: list, b: list) -> None:
    with pytest.raises(InputError, match="Both columns must be bool .*, got shapes="):
        mcnemar_test(np.array(a), np.array(b), ["x"] * len(a))
