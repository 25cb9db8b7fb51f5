"""From bootstrap draws of cases to interval and p value, where the cases are few.

The plain percentile interval of 20 cases holds the truth in 83 to 92 % of trials where
it promises 95 %: draws of m cases vary too little, by ``(m - 1)/m`` in variance, take
the normal's tails for Student's, and keep the skewness of the sample. Two ways
correct it, chosen by simulation (benchmarks/evidence/coverage.py, docs/STATISTICS.md):

* a score takes the standard error of its draws, times ``sqrt(m/(m - 1))``, and
  Student's t; on the logit scale, where a share near 1 is no longer skewed (for the AUC
  Pepe 2003, isbn 9780198509844, section 5.2);
* a difference takes wider percentiles, those of ``Φ(sqrt(m/(m - 1))·t)``, which keep
  the shape of the draws (Hesterberg 2015, doi 10.1080/00031305.2015.1089789).

m counts the cases that bear on the figure: of the rarer class where it needs both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, t

#: An interval from fewer of the draws than this would be of another population.
LEAST_DEFINED = 0.9
#: Tails with less than 0.005 of the draws are extrapolated as those of a normal with
#: the spread of the draws.
LARGEST_Z = float(norm.isf(0.005))


@dataclass(frozen=True)
class FewCases:
    """By how much draws of few cases vary too little.

    Attributes:
        factor: by which the variance of the draws is too small; m/(m - 1) for m cases.
        degrees: of freedom of t, > 0.
    """

    factor: float
    degrees: float


def too_few(defined: int, draws: int, cases: int) -> str | None:
    """In words, why an interval cannot be made; None if it can.

    Args:
        defined: number of draws in which the score is defined.
        draws: number of draws.
        cases: relevant to the score.
    """
    if cases < 2:
        return "one case only bears on it: no draws are possible"
    if defined < LEAST_DEFINED * draws:
        return (
            f"defined in only {defined} of {draws} draws: too few cases for an interval"
        )
    return None


def share_interval(
    value: float,
    drawn: np.ndarray,
    *,
    cases: int,
    degrees: float,
    confidence: float,
    is_logit: bool = True,
) -> tuple[float, float]:
    """Interval of a score in [0, 1]: ``expit(logit v ± t·se/(v·(1 - v)))``.

    Args:
        value: v, the score; in (0, 1) if ``is_logit``.
        drawn: (draws,) finite; se is their standard deviation times
            ``sqrt(cases/(cases - 1))``.
        cases: 2 or more, that bear on the score.
        degrees: of freedom of t, > 0.
        confidence: in (0, 1).
        is_logit: False: ``v ± t·se``, cut to [0, 1].

    Returns:
        low, high in [0, 1], with value between them.
    """
    half = float(t.ppf((1 + confidence) / 2, degrees)) * _spread(drawn, cases)
    if not is_logit:
        return max(0.0, value - half), min(1.0, value + half)
    center, half = float(logit(value)), half / (value * (1 - value))
    return float(expit(center - half)), float(expit(center + half))


def percentiles(drawn: np.ndarray, confidence: float) -> tuple[float, float]:
    """Ends of the plain percentile interval of (draws,) finite values."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def widen(confidence: float, cases: int) -> float:
    """The confidence whose plain percentiles are those of ``wide_percentiles``.

    For lines and readings off a curve, where each place has draws of its own: with
    ``factor`` cases/(cases - 1) and cases - 1 degrees of freedom.

    Args:
        confidence: wanted, in (0, 1).
        cases: 2 or more, that bear on the figure.

    Returns:
        In (confidence, 0.99]: beyond, a thousand draws have no tail to read.
    """
    z = (cases / (cases - 1)) ** 0.5 * float(t.ppf((1 + confidence) / 2, cases - 1))
    return max(confidence, 1 - 2 * float(norm.sf(min(z, LARGEST_Z))))


def wide_percentiles(
    drawn: np.ndarray, few: FewCases, *, confidence: float
) -> tuple[float, float]:
    """Percentiles ``Φ(±sqrt(factor)·t)`` of the draws.

    Args:
        drawn: (draws,) finite.
        few: their factor and t.
        confidence: in (0, 1).

    Returns:
        low, high.
    """
    z = few.factor**0.5 * float(t.ppf((1 + confidence) / 2, few.degrees))
    inner = min(z, LARGEST_Z)
    low, high = percentiles(drawn, 1 - 2 * float(norm.sf(inner)))
    beyond = (z - inner) * float(drawn.std(ddof=1))
    return low - beyond, high + beyond


def two_sided_p(drawn: np.ndarray, few: FewCases) -> float:
    """The level at which the end of the wide percentiles reaches 0.

    With the share of draws beyond 0 (ties half) as ``Φ(-z)`` it is
    ``2·P(t > z/sqrt(factor))``.

    Args:
        drawn: (draws,) finite differences.
        few: as in ``wide_percentiles``.

    Returns:
        p in [0, 1]; 1 where no draw differs from 0.
    """
    # Ties of the two scores must not fall to one side by a rounding error.
    ties = float((np.abs(drawn) <= 1e-12).mean())
    below = float((drawn < -1e-12).mean())
    share = min(below, 1 - ties - below) + ties / 2
    z = float(norm.isf(share)) if share > 0 else np.inf
    if z > LARGEST_Z:
        side = 1 if drawn.mean() > 0 else -1
        nearest = float(np.quantile(side * drawn, norm.sf(LARGEST_Z)))
        z = LARGEST_Z + max(0.0, nearest) / max(float(drawn.std(ddof=1)), 1e-300)
    return min(1.0, float(2 * t.sf(z / few.factor**0.5, few.degrees)))


def _spread(drawn: np.ndarray, cases: int) -> float:
    return float(drawn.std(ddof=1)) * (cases / (cases - 1)) ** 0.5
