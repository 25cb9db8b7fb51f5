"""Paired differences of AUC with case-clustered intervals, and their pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gastric_keras.bootstrap import auc_draws, percentiles, too_few
from gastric_keras.errors import InputError
from gastric_keras.scores import check_cases, check_draws, check_pairs, ranking_scores


@dataclass(frozen=True)
class PairedBootstrap:
    """The difference of two AUCs on the same patches, cases drawn with replacement.

    Attributes:
        auc_a: AUC of the first score.
        auc_b: AUC of the second.
        difference: ``auc_b - auc_a``.
        low: lower end of the percentile interval; None if not defined.
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


@dataclass(frozen=True)
class PooledDifference:
    """A difference of AUC, averaged over seeds and settings.

    Attributes:
        difference: mean over settings of the mean over seeds.
        low: lower end of the interval; None if not defined.
        high: upper end.
        p_value: two-sided; None if not defined.
        settings: how many settings were averaged.
        seeds: how many different seeds bear on it.
        reason: in words, why the interval is missing; None if it is not.
    """

    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    settings: int
    seeds: int
    reason: str | None = None


def paired_cluster_bootstrap(
    label: Any,
    score_a: Any,
    score_b: Any,
    case_id: Any,
    *,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedBootstrap:
    """Difference of two AUCs with case-clustered interval and p value.

    Each draw takes as many cases as there are, with replacement, and scores both
    models on the same patches. ``p = 2·(1 + min(#{d ≤ 0}, #{d ≥ 0})) / (B + 1)``, at
    most 1: the interval excludes 0 where p is below ``1 - confidence``, up to the
    grain of the draws.

    Args:
        label: (n,) 0 or 1.
        score_a: (n,) finite; only its order counts.
        score_b: (n,) finite, of the same patches.
        case_id: (n,) str; cases are drawn whole.
        draws: number of draws, 100 or more.
        confidence: of the interval, in (0, 1).
        seed: of the draws.

    Returns:
        The difference b - a; interval and p value are None, with a reason, where
        there is one case only or one draw in ten or more holds one class only.

    Raises:
        InputError: bad shape, range or NaN, or one class only.
    """
    check_draws(draws, confidence)
    label, score_a = check_pairs(label, score_a, is_probability=False)
    label, score_b = check_pairs(label, score_b, is_probability=False)
    names, case = check_cases(case_id, label.size)
    if label.min() == label.max():
        raise InputError(
            "Patches of both classes were expected. Received: label with "
            f"{label.size} times {label[0]}. Use a test set with both classes."
        )

    scores = np.stack([score_a, score_b])
    auc_a, auc_b = (
        float(ranking_scores(label, score, np.ones((1, label.size)))["auc"][0])
        for score in scores
    )
    drawn = auc_draws(label, scores, names[case], draws=draws, seed=seed)
    difference = drawn[1] - drawn[0]
    difference = difference[np.isfinite(difference)]
    reason = too_few(difference.size, draws, len(names))
    low = high = p_value = None
    if reason is None:
        low, high = percentiles(difference, confidence)
        p_value = two_sided_p(difference)
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


def pool_differences(
    value: np.ndarray,
    drawn: np.ndarray,
    *,
    setting: Sequence[str],
    replicate: Sequence[str],
    cases: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> PooledDifference:
    """Average differences of the same test cases over seeds and settings.

    All seeds share the test cases, so more seeds are no more cases: each draw takes
    one sample of cases for all, and on top a sample of seeds (both ways of a crossed
    design, Owen 2007, doi 10.1214/07-AOAS122). The deviation that the drawn seeds
    bring is widened by ``sqrt(S / (S - 1))``, because S drawn from S vary too little.
    With one seed only the cases are drawn.

    Args:
        value: (p,) differences, one for each setting and seed.
        drawn: (p, draws) the same on common draws of cases, see ``auc_draws``.
        setting: (p,) name of the setting of each.
        replicate: (p,) name of the seed of each.
        cases: number of test cases.
        confidence: of the interval, in (0, 1).
        seed: of the draws of seeds.

    Returns:
        The pooled difference with interval and p value.
    """
    seeds, which = np.unique(np.asarray(replicate), return_inverse=True)
    times = times_drawn(len(seeds), drawn.shape[1], seed=seed)
    names = np.asarray(setting)
    values, pooled = [], []
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        values.append(value[rows].mean())
        pooled.append(draw_seeds(drawn[rows], times[:, which[rows]].T))
    mean = np.mean(pooled, axis=0)
    mean = mean[np.isfinite(mean)]
    reason = too_few(mean.size, drawn.shape[1], cases)
    low, high = (None, None) if reason else percentiles(mean, confidence)
    return PooledDifference(
        difference=float(np.mean(values)),
        low=low,
        high=high,
        p_value=None if reason else two_sided_p(mean),
        settings=len(values),
        seeds=len(seeds),
        reason=reason,
    )


def two_sided_p(drawn: np.ndarray) -> float:
    """``2·(1 + min(#{d ≤ 0}, #{d ≥ 0})) / (B + 1)``, at most 1.

    Args:
        drawn: (B,) finite bootstrap differences.
    """
    # Ties of the two AUCs must not fall to one side by a rounding error.
    tail = min((drawn <= 1e-12).sum(), (drawn >= -1e-12).sum())
    return min(1.0, float(2 * (1 + tail) / (drawn.size + 1)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment for several tests (Holm 1979, jstor 4615733).

    Args:
        p_values: one a test; None: no test was possible, it does not count.

    Returns:
        Adjusted p values in the same order, each at most 1.
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[i] = highest
    return adjusted


def times_drawn(seeds: int, draws: int, *, seed: int) -> np.ndarray:
    """(draws, seeds) int: how often each training seed is drawn, with replacement.

    Args:
        seeds: how many there are.
        draws: how many draws of them.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 1])
    return rng.multinomial(seeds, [1 / seeds] * seeds, size=draws)


def draw_seeds(drawn: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean over drawn seeds, its spread widened by sqrt(S / (S - 1)).

    Args:
        drawn: (s, draws) of each seed, on the same draws of cases.
        times: (s, draws) how often each seed was drawn.

    Returns:
        (draws,), NaN where none of these seeds was drawn.
    """
    count = len(drawn)
    plain = drawn.mean(axis=0)
    if count == 1:
        return plain
    with np.errstate(invalid="ignore"):  # none of these seeds drawn: NaN, left out
        shift = (times * drawn).sum(axis=0) / times.sum(axis=0) - plain
    return plain + shift * (count / (count - 1)) ** 0.5
