"""Paired differences of AUC with case-clustered intervals, and their pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gastric_keras.statistics.bootstrap import auc_draws, rarer_cases
from gastric_keras.statistics.intervals import too_few, two_sided_p, wide_percentiles
from gastric_keras.statistics.scores import (
    check_cases,
    check_draws,
    check_pairs,
    ranking_scores,
)
from gastric_keras.support.errors import InputError


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
    models on the same patches. The ends of the interval are percentiles of the draws,
    wider for few cases, with m cases of the rarer class and m - 1 degrees of freedom;
    p is the level at which they reach 0, so the interval excludes 0 where p is below
    ``1 - confidence``, up to the grain of the draws.

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
    rarer = rarer_cases(label, case)
    reason = too_few(difference.size, draws, rarer)
    low = high = p_value = None
    if reason is None:
        few = {"factor": rarer / (rarer - 1), "degrees": rarer - 1}
        low, high = wide_percentiles(difference, confidence=confidence, **few)
        p_value = two_sided_p(difference, **few)
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
    design, Owen 2007, doi 10.1214/07-AOAS122). What a seed makes of a case then counts
    in both, so the percentiles are those of a variance that counts it once:
    ``V = V_cases·m/(m - 1) + V_seeds``, with V_cases of the mean over seeds and
    V_seeds the variance between the seeds less what the choice of cases explains of
    it. Few cases and few seeds share the degrees of freedom (Satterthwaite 1946, doi
    10.2307/3002019): ``V² / ((V_cases·m/(m - 1))²/(m - 1) + G²/(S - 1))``, G the
    whole variance between the seeds, and m - 1 at most. With one seed only the cases
    are drawn.

    Args:
        value: (p,) differences, one for each setting and seed.
        drawn: (p, draws) the same on common draws of cases, see ``auc_draws``.
        setting: (p,) name of the setting of each.
        replicate: (p,) name of the seed of each.
        cases: m, number of test cases of the rarer class (``bootstrap.rarer_cases``).
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
    is_defined = np.isfinite(mean)
    mean = mean[is_defined]
    reason = too_few(mean.size, drawn.shape[1], cases)
    low = high = p_value = None
    if reason is None:
        few = _small_sample(value, drawn[:, is_defined], names, which, mean, cases)
        low, high = wide_percentiles(mean, confidence=confidence, **few)
        p_value = two_sided_p(mean, **few)
    return PooledDifference(
        difference=float(np.mean(values)),
        low=low,
        high=high,
        p_value=p_value,
        settings=len(values),
        seeds=len(seeds),
        reason=reason,
    )


def _small_sample(
    value: np.ndarray,
    drawn: np.ndarray,
    setting: np.ndarray,
    seed: np.ndarray,
    pooled: np.ndarray,
    cases: int,
) -> dict[str, float]:
    """By how much the variance of the pooled draws is wrong, and degrees of freedom."""
    counts = np.array([(setting == name).sum() for name in setting])
    share = 1 / (counts * np.unique(setting).size)  # of each row in the pooled mean
    of_cases = float((share @ drawn).var(ddof=1)) * cases / (cases - 1)
    seeds = int(seed.max()) + 1
    between = np.zeros((seeds, len(value)))  # rows to what each seed adds to the mean
    for row, own in enumerate(seed):
        between[own, row] = share[row]
        mine = setting == setting[row]
        between[own, mine] -= share[row] / counts[row]
    of_seeds, degrees = 0.0, float(cases - 1)
    if seeds > 1:
        widen = seeds / (seeds - 1)
        gross = float(((between @ value) ** 2).sum()) * widen
        from_cases = float((between @ drawn).var(axis=1, ddof=1).sum()) * widen
        of_seeds = max(0.0, gross - from_cases)
        # A difference of two variances is known no better than the greater of them.
        parts = of_cases**2 / (cases - 1) + gross**2 / (seeds - 1)
        if parts > 0:
            degrees = min(degrees, (of_cases + of_seeds) ** 2 / parts)
    spread = float(pooled.var(ddof=1))
    factor = (of_cases + of_seeds) / spread if spread > 1e-18 else 1.0
    return {"factor": factor, "degrees": degrees}


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
