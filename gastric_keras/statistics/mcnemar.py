"""McNemar's test of two accuracies: exact, and clustered by case.

The exact test of McNemar 1947 (doi 10.1007/BF02295996) takes the patches for
independent. Patches of one case are not: where a case has many it finds differences
that are not there (docs/STATISTICS.md). Obuchowski 1998 (doi 10.1002/(SICI)1097-0258
(19980715)17:13<1495::AID-SIM863>3.0.CO;2-I) compares the same two shares with the case
as the unit: that is the one to believe; with one patch a case they ask the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, t

from gastric_keras.statistics.scores import check_cases
from gastric_keras.support.errors import require


@dataclass(frozen=True)
class McNemar:
    """Calls of two models on the same patches.

    Attributes:
        only_a: patches that only the first classifies correctly.
        only_b: patches that only the second classifies correctly.
        difference: accuracy of the second less that of the first.
        p_value: exact, patches for independent; 1 where the two never differ.
        p_clustered: the case is the unit; None: not defined.
        reason: in words, why ``p_clustered`` is None; None if it is not.
    """

    only_a: int
    only_b: int
    difference: float
    p_value: float
    p_clustered: float | None
    reason: str | None = None


def mcnemar_test(is_right_a: Any, is_right_b: Any, case_id: Any) -> McNemar:
    """McNemar's exact test, and Obuchowski's for clustered pairs.

    With ``d_k`` the patches of case k that only b calls right less those that only a
    does, and n_k its patches, the difference is ``D = Σ d_k / Σ n_k`` and
    ``t = D / sqrt(m/(m - 1)·Σ (d_k - n_k·D)² / (Σ n_k)²)`` with m - 1 degrees of
    freedom, m cases. Obuchowski takes the normal; t is for few cases.

    Args:
        is_right_a: (n,) bool, whether the first model is correct.
        is_right_b: (n,) bool, the second.
        case_id: (n,) str.

    Returns:
        Both p values, two-sided.

    Raises:
        InputError: another shape, or no bool.

    Example:
        >>> test = mcnemar_test([1 > 0] * 5, [1 > 0] * 4 + [False], list("abcde"))
        >>> test.only_a, test.only_b, test.p_value
        (1, 0, 1.0)
    """
    a, b = np.asarray(is_right_a), np.asarray(is_right_b)
    require(
        a.ndim == 1
        and a.size > 0
        and a.shape == b.shape
        and a.dtype == b.dtype == bool,
        "Both columns must be bool and of the same length, with at least one row",
        "Pass for each patch whether it was classified correctly.",
        shapes=(a.shape, b.shape),
        dtypes=(str(a.dtype), str(b.dtype)),
    )
    names, case = check_cases(case_id, a.size)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    difference = (only_b - only_a) / a.size
    p_value = 1.0
    if only_a + only_b:
        p_value = float(binomtest(only_b, only_a + only_b).pvalue)
    gain = np.bincount(case, weights=b.astype(int) - a.astype(int))
    gap = gain - np.bincount(case) * difference
    m = len(names)
    error = (m / (m - 1) * float((gap**2).sum())) ** 0.5 / a.size if m > 1 else 0.0
    clustered, reason = None, None
    if m < 2:
        reason = "one case only: no comparison is possible"
    elif error < 1e-12 and abs(difference) > 1e-12:
        reason = "every case differs alike: no variance between cases"
    else:
        clustered = float(2 * t.sf(abs(difference) / max(error, 1e-300), m - 1))
    return McNemar(only_a, only_b, difference, p_value, clustered, reason)
