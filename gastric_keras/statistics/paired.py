"""Paired differences of AUC, pooled over seeds and settings; Holm's adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gastric_keras.statistics.between_seeds import Rows, seed_variance
from gastric_keras.statistics.bootstrap import auc_draws, rarer_cases
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.intervals import (
    FewCases,
    too_few,
    two_sided_p,
    wide_percentiles,
)
from gastric_keras.statistics.scores import ranking_scores


@dataclass(frozen=True)
class PooledDifference:
    """A difference of AUC, averaged over seeds and settings.

    Attributes:
        difference: mean over settings of the mean over seeds.
        low: lower end of the interval; None if not defined.
        high: upper end.
        p_value: two-sided; None if not defined.
        settings: how many settings were averaged.
        seeds: of the setting with the fewest.
        borrowed: settings with one seed, whose variance between seeds is that of the
            others; 0 where none has several.
        reason: in words, why the interval is missing; None if it is not.
    """

    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    settings: int
    seeds: int
    borrowed: int = 0
    reason: str | None = None


def pool_differences(
    value: np.ndarray,
    drawn: np.ndarray,
    *,
    setting: Sequence[str],
    replicate: Sequence[str],
    cases: int,
    base: Sequence[int] | None = None,
    draws: Draws = Draws(),
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
    whole variance between the seeds, and m - 1 at most. A setting with one seed borrows
    its part of V_seeds from those with several (:mod:`between_seeds`). Where no setting
    has several, only the cases are drawn: interval and p value are of these trainings.

    Args:
        value: (p,) differences, one for each setting and seed.
        drawn: (p, draws) the same on common draws of cases, see ``auc_draws``.
        setting: (p,) name of the setting of each.
        replicate: (p,) name of the seed of each.
        cases: m, number of test cases of the rarer class (``bootstrap.rarer_cases``).
        base: (p,) number of the run that each is held against, which differences of two
            settings may share; None: each has one of its own.
        draws: that ``drawn`` is of, with the confidence of the interval; the same
            seed draws the seeds.

    Returns:
        The pooled difference with interval and p value.
    """
    seeds, which = np.unique(np.asarray(replicate), return_inverse=True)
    times = times_drawn(len(seeds), draws)
    names, group = np.unique(np.asarray(setting), return_inverse=True)
    bases = np.arange(len(value)) if base is None else np.asarray(base)
    rows = Rows(group, which, bases)
    values, pooled = [], []
    for number in range(len(names)):
        mine = np.flatnonzero(group == number)
        values.append(value[mine].mean())
        pooled.append(draw_seeds(drawn[mine], times[:, which[mine]].T))
    mean = np.mean(pooled, axis=0)
    is_defined = np.isfinite(mean)
    mean = mean[is_defined]
    reason = too_few(mean.size, draws.draws, cases)
    low = high = p_value = None
    if reason is None:
        few = _small_sample(value, drawn[:, is_defined], rows, mean, cases)
        low, high = wide_percentiles(mean, few, confidence=draws.confidence)
        p_value = two_sided_p(mean, few)
    return PooledDifference(
        difference=float(np.mean(values)),
        low=low,
        high=high,
        p_value=p_value,
        settings=len(values),
        seeds=int(rows.seeds.min()),
        borrowed=int(rows.is_borrowing.sum()),
        reason=reason,
    )


def _small_sample(
    value: np.ndarray, drawn: np.ndarray, rows: Rows, pooled: np.ndarray, cases: int
) -> FewCases:
    """By how much the variance of the pooled draws is wrong, and degrees of freedom."""
    of_cases = float((rows.share @ drawn).var(ddof=1)) * cases / (cases - 1)
    of_seeds = seed_variance(value, drawn, rows)
    total, degrees = of_cases + of_seeds.net, float(cases - 1)
    if of_seeds.gross > 0:
        # A difference of two variances is known no better than the greater of them.
        parts = of_cases**2 / (cases - 1) + of_seeds.gross**2 / of_seeds.degrees
        degrees = min(degrees, total**2 / parts)
    spread = float(pooled.var(ddof=1))
    return FewCases(total / spread if spread > 1e-18 else 1.0, degrees)


def auc_difference(
    label: np.ndarray,
    score: np.ndarray,
    base: np.ndarray,
    case_id: np.ndarray,
    draws: Draws = Draws(),
) -> PooledDifference:
    """AUC of one score less that of another on the same patches, paired by case.

    Args:
        label: (n,) 0 or 1, both there.
        score: (n,) float.
        base: (n,) float, of the one that it is held against.
        case_id: (n,) str; cases are drawn whole.
        draws: how many, and from which seed.
    """
    both = np.stack([score, base])
    whole = [ranking_scores(label, s, np.ones((1, label.size)))["auc"][0] for s in both]
    drawn = auc_draws(label, both, case_id, draws)
    return pool_differences(
        np.array([whole[0] - whole[1]]),
        drawn[:1] - drawn[1:],
        setting=["one"],
        replicate=["one"],
        cases=rarer_cases(label, case_id),
        draws=draws,
    )


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


def times_drawn(seeds: int, draws: Draws) -> np.ndarray:
    """(draws, seeds) int: how often each training seed is drawn, with replacement.

    Args:
        seeds: how many there are.
        draws: how many draws of them, and from which seed.
    """
    rng = np.random.default_rng([draws.seed, 1])
    return rng.multinomial(seeds, [1 / seeds] * seeds, size=draws.draws)


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
