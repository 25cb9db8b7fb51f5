"""AUC with interval, and the paired test of two AUCs, after DeLong.

DeLong, DeLong & Clarke-Pearson 1988, doi 10.2307/2531595; computed by midranks in
O(n log n) after Sun & Xu 2014, doi 10.1109/LSP.2014.2337313. Both assume
independent patches: where several patches come from one case, the interval is too
narrow and p too small; use ``bootstrap`` there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from gastric_keras.statistics.draws import check_confidence
from gastric_keras.statistics.scores import check_pairs
from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class PairedTest:
    """The difference of two AUCs on the same patches.

    Attributes:
        auc_a: AUC of the first score.
        auc_b: AUC of the second.
        difference: ``auc_b - auc_a``.
        low: lower end of the interval of the difference; None if not defined.
        high: upper end.
        z: difference over its standard error; None if not defined.
        p_value: two-sided; None if not defined.
        reason: in words, what is missing or degenerate; None if nothing is.
    """

    auc_a: float
    auc_b: float
    difference: float
    low: float | None
    high: float | None
    z: float | None
    p_value: float | None
    reason: str | None = None


def auc_interval(
    label: Any, score: Any, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Area under the ROC curve with DeLong's interval.

    With V10 (each positive's share of negatives below it, ties half) and V01 alike,
    ``auc = mean V10``, ``var = S10/m + S01/n`` and the interval is
    ``auc ± z·sqrt(var)``, cut to [0, 1]. Where every pair agrees (AUC 0, 1, or all
    tied) the variance is 0 although the AUC is not known exactly; the bound there is
    exact: min(m, n) disjoint pairs are independent, so the probability of the
    outcome seen is at least ``q = ((1-confidence)/2)**(1/min(m, n))`` for every AUC
    inside the interval returned.

    Args:
        label: (n,) 0 or 1, two or more of each.
        score: (n,) finite, higher for the positive class; only its order counts.
        confidence: of the interval, in (0, 1).

    Returns:
        auc, low, high, each in [0, 1].

    Raises:
        InputError: bad shape, labels other than 0 and 1, NaN, fewer than two of a
            class, confidence outside (0, 1).

    Example:
        >>> auc, low, high = auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> auc
        0.75
    """
    check_confidence(confidence)
    label, score = check_pairs(label, score, is_probability=False)
    auc, covariance = _delong(label, score[None])
    value, variance = float(auc[0]), float(covariance[0, 0])
    if variance <= 1e-18:
        smallest = min(int(label.sum()), int((1 - label).sum()))
        agreement = ((1 - confidence) / 2) ** (1 / smallest)
        return value, agreement * value, agreement * value + 1 - agreement
    half = float(norm.ppf((1 + confidence) / 2)) * variance**0.5
    return value, max(0.0, value - half), min(1.0, value + half)


def pooled_auc_test(
    label: Any, scores_a: Any, scores_b: Any, *, confidence: float = 0.95
) -> PairedTest:
    """DeLong's test of two mean AUCs, each over several scores of the same patches.

    The scores are those of several seeds. Their AUCs are correlated through the
    patches, so the variance is that of the contrast of all of them, and
    ``z = (mean auc_b - mean auc_a) / sqrt(variance)``, p from the normal. The seeds
    themselves count as fixed: another training is not part of the question.

    Args:
        label: (n,) 0 or 1, two or more of each.
        scores_a: (s, n) finite.
        scores_b: (s, n) finite.
        confidence: of the interval, in (0, 1).

    Returns:
        The difference b - a of the means with interval, z and p value. Scores that
        order every pair alike have difference 0, interval (0, 0), z 0, p 1 and a
        reason; where the variance is 0 and the difference is not, interval, z and p
        are None.

    Raises:
        InputError: as :func:`auc_interval`.
    """
    check_confidence(confidence)
    sides = []
    for scores in (scores_a, scores_b):
        checked = [check_pairs(label, s, is_probability=False)[1] for s in scores]
        sides.append(np.stack(checked))
    label = np.asarray(label).astype(np.int64)
    auc, covariance = _delong(label, np.concatenate(sides))
    half_a, half_b = (np.full(len(side), 1 / len(side)) for side in sides)
    auc_a = float(half_a @ auc[: len(half_a)])
    auc_b = float(half_b @ auc[len(half_a) :])
    contrast = np.concatenate([-half_a, half_b])
    return _test(auc_a, auc_b, float(contrast @ covariance @ contrast), confidence)


def _test(auc_a: float, auc_b: float, variance: float, confidence: float) -> PairedTest:
    difference = auc_b - auc_a
    if variance <= 1e-18:
        if abs(difference) < 1e-12:
            why = "both scores rank the patches equally well throughout: no variance"
            return PairedTest(auc_a, auc_b, 0.0, 0.0, 0.0, 0.0, 1.0, why)
        why = "the difference has no variance: a score is constant or perfect"
        return PairedTest(auc_a, auc_b, difference, None, None, None, None, why)
    error = variance**0.5
    half = float(norm.ppf((1 + confidence) / 2)) * error
    z = difference / error
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    return PairedTest(
        auc_a, auc_b, difference, low, high, z, float(2 * norm.sf(abs(z)))
    )


def _delong(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUCs (k,) and their covariance (k, k) from scores (k, n)."""
    is_positive = label == 1
    m, n = int(is_positive.sum()), int((~is_positive).sum())
    if min(m, n) < 2:
        raise InputError(
            f"Each class must have at least two patches, got {m} positive, {n} "
            "negative. Use a larger test set."
        )
    overall = rankdata(scores, axis=1)
    within_positive = rankdata(scores[:, is_positive], axis=1)
    within_negative = rankdata(scores[:, ~is_positive], axis=1)
    v10 = (overall[:, is_positive] - within_positive) / n
    v01 = 1 - (overall[:, ~is_positive] - within_negative) / m
    s10, s01 = np.atleast_2d(np.cov(v10)), np.atleast_2d(np.cov(v01))
    return v10.mean(axis=1), s10 / m + s01 / n
