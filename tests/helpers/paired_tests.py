"""Two scores of the same patches compared directly, as an oracle for pooled ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gastric_keras.statistics.bootstrap import auc_draws, rarer_cases
from gastric_keras.statistics.delong import PairedTest, pooled_auc_test
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.intervals import (
    FewCases,
    too_few,
    two_sided_p,
    wide_percentiles,
)
from gastric_keras.statistics.scores import check_cases, check_pairs, ranking_scores


@dataclass(frozen=True)
class PairedBootstrap:
    """The difference of two AUCs on the same patches, cases drawn with replacement.

    Attributes:
        auc_a: AUC of the first score.
        auc_b: AUC of the second.
        difference: ``auc_b - auc_a``.
        low: lower end of the interval; None if not defined.
        high: upper end.
        p_value: two-sided; None if not defined.
        cases: number of cases drawn from.
        draws: number of draws that held both classes.
        reason: in words, why the interval is missing; None if it is not.
    """

    auc_a: float
    auc_b: float
    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    cases: int
    draws: int
    reason: str | None = None


def paired_cluster_bootstrap(
    label: Any, score_a: Any, score_b: Any, case_id: Any, draws: Draws = Draws()
) -> PairedBootstrap:
    """Difference of two AUCs with case-clustered interval and p value.

    Each draw takes as many cases as there are, with replacement, and scores both
    models on the same patches. The ends of the interval are percentiles of the draws,
    wider for few cases, with m cases of the rarer class and m - 1 degrees of freedom;
    p is the level at which they reach 0.
    """
    label, score_a = check_pairs(label, score_a, is_probability=False)
    label, score_b = check_pairs(label, score_b, is_probability=False)
    names, case = check_cases(case_id, label.size)
    scores = np.stack([score_a, score_b])
    auc_a, auc_b = (
        float(ranking_scores(label, score, np.ones((1, label.size)))["auc"][0])
        for score in scores
    )
    drawn = auc_draws(label, scores, names[case], draws)
    difference = drawn[1] - drawn[0]
    difference = difference[np.isfinite(difference)]
    rarer = rarer_cases(label, case)
    reason = too_few(difference.size, draws.draws, rarer)
    low = high = p_value = None
    if reason is None:
        few = FewCases(rarer / (rarer - 1), rarer - 1)
        low, high = wide_percentiles(difference, few, confidence=draws.confidence)
        p_value = two_sided_p(difference, few)
    return PairedBootstrap(
        auc_a=auc_a,
        auc_b=auc_b,
        difference=auc_b - auc_a,
        low=low,
        high=high,
        p_value=p_value,
        cases=len(names),
        draws=int(difference.size),
        reason=reason,
    )


def paired_auc_test(label: Any, score_a: Any, score_b: Any) -> PairedTest:
    """DeLong's test of two correlated AUCs: one score on each side."""
    return pooled_auc_test(label, [score_a], [score_b])
