"""How far two samples of cases lie apart: in their scores, and in a measure by case.

A distance of two samples is never 0, and the fewer the cases the larger it is by chance
alone. So beside each distance stands how large it gets when whole cases are dealt to
the two samples at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from gastric_keras.statistics.draws import Draws

#: Values (draws x rows) held at once.
_CHUNK = 1 << 21
#: Places of the summary of a distribution.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Spread:
    """A distribution in a few numbers.

    Attributes:
        n: of values.
        cases: that they are of.
        mean: of them.
        deviation: of them; 0 of one value.
        quantiles: at ``QUANTILES``.
    """

    n: int
    cases: int
    mean: float
    deviation: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Distance:
    """How far two samples lie apart.

    Attributes:
        value: the distance, 0 or more.
        by_chance: what it stays below in as many deals of the cases to two samples of
            these sizes as the confidence says; None where a sample has one case.
    """

    value: float
    by_chance: float | None


@dataclass(frozen=True)
class ScoreDrift:
    """Probabilities of the positive class on the patches of one true class.

    Attributes:
        label: the true class.
        before: of the internal test split.
        after: of the external cohort.
        ks: Kolmogorov-Smirnov: the largest difference of the two distribution
            functions, in [0, 1].
        wasserstein: the mean way that probability must move to make one of the other,
            in [0, 1].
    """

    label: str
    before: Spread
    after: Spread
    ks: Distance
    wasserstein: Distance


@dataclass(frozen=True)
class Shift:
    """A measure by case in two samples.

    Attributes:
        name: of the measure.
        before: of the internal test split.
        after: of the external cohort.
        smd: standardized mean difference, (after - before) / sqrt of the mean of the
            two variances; None where a sample has one case or nothing varies.
        low: lower end of its interval.
        high: upper end.
    """

    name: str
    before: Spread
    after: Spread
    smd: float | None
    low: float | None = None
    high: float | None = None


def spread_of(values: np.ndarray, case_id: np.ndarray) -> Spread:
    """Summarize a distribution.

    Args:
        values: (n,) float, finite, n ≥ 1.
        case_id: (n,).
    """
    return Spread(
        n=values.size,
        cases=np.unique(case_id).size,
        mean=float(values.mean()),
        deviation=float(values.std(ddof=1)) if values.size > 1 else 0.0,
        quantiles=tuple(float(q) for q in np.quantile(values, QUANTILES)),
    )


def score_drift(
    label: str,
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
    draws: Draws = Draws(),
) -> ScoreDrift:
    """Compare the scores that two samples of one true class get.

    Args:
        label: of the class.
        before: (n,) scores and (n,) case ids of one sample.
        after: the same of the other, which shares no case with it.
        draws: how many deals of the cases, from which seed, and what share of them
            ``by_chance`` holds.
    """
    score = np.concatenate([before[0], after[0]]).astype(np.float64)
    names = [np.char.add(p, c.astype(str)) for p, c in zip("ab", (before[1], after[1]))]
    cases, case = np.unique(np.concatenate(names), return_inverse=True)
    is_after = np.char.startswith(cases, "b")
    found = _distances(score, case, is_after[None])
    by_chance: tuple[float | None, float | None] = (None, None)
    if 2 <= is_after.sum() <= len(cases) - 2:
        rng = np.random.default_rng([draws.seed, 2])
        deals = rng.permuted(np.tile(is_after, (draws.draws, 1)), axis=1)
        rows = max(1, _CHUNK // score.size)
        parts = [
            _distances(score, case, deals[start : start + rows])
            for start in range(0, draws.draws, rows)
        ]
        dealt = np.concatenate(parts, axis=1)
        ends = np.quantile(dealt, draws.confidence, axis=1)
        by_chance = float(ends[0]), float(ends[1])
    return ScoreDrift(
        label,
        spread_of(*before),
        spread_of(*after),
        ks=Distance(float(found[0, 0]), by_chance[0]),
        wasserstein=Distance(float(found[1, 0]), by_chance[1]),
    )


def _distances(score: np.ndarray, case: np.ndarray, is_after: np.ndarray) -> np.ndarray:
    """(2, deals): KS and Wasserstein of the patches of the cases dealt to each side."""
    order = np.argsort(score, kind="stable")
    side = is_after[:, case[order]].astype(np.float64)
    after = np.cumsum(side, axis=1)
    before = np.arange(1, score.size + 1) - after
    with np.errstate(invalid="ignore"):
        apart = np.abs(after / after[:, -1:] - before / before[:, -1:])
    gaps = np.diff(score[order])
    # Inside a run of equal scores the functions have no value of their own.
    ends = np.append(gaps > 0, True)
    return np.stack([(apart * ends).max(axis=1), apart[:, :-1] @ gaps])


def shift_of(
    name: str, before: np.ndarray, after: np.ndarray, *, confidence: float
) -> Shift:
    """Compare a measure of the cases of two samples.

    The interval is ``smd ± z·sqrt((n + m)/(n·m) + smd²/(2(n + m)))`` (Hedges & Olkin
    1985, isbn 9780123363800, section 5.C), cases being independent.

    Args:
        name: of the measure.
        before: (n,) one value a case, finite.
        after: (m,), the same of the other sample.
        confidence: of the interval, in (0, 1).
    """
    n, m = before.size, after.size
    one, other = (spread_of(part, np.arange(part.size)) for part in (before, after))
    pooled = ((one.deviation**2 + other.deviation**2) / 2) ** 0.5
    if min(n, m) < 2 or pooled < 1e-12:
        return Shift(name, one, other, smd=None)
    smd = (other.mean - one.mean) / pooled
    error = ((n + m) / (n * m) + smd**2 / (2 * (n + m))) ** 0.5
    half = float(norm.ppf((1 + confidence) / 2)) * error
    return Shift(name, one, other, smd=smd, low=smd - half, high=smd + half)
