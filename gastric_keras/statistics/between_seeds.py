"""Variance between training seeds of a mean over settings, some trained only once.

A setting with one seed shows nothing of how much another training would differ. It
borrows: variance and covariances are estimated from the settings with several seeds,
pooled over them, and taken to hold for the others too. The settings are assumed to
vary alike; without one setting of several seeds nothing can be borrowed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """What each of p differences is of.

    Attributes:
        setting: (p,) int.
        seed: (p,) int.
        base: (p,) int, the run that it is held against; two differences with the same
            one share a training.
    """

    setting: np.ndarray
    seed: np.ndarray
    base: np.ndarray

    @property
    def seeds(self) -> np.ndarray:
        """(p,) number of seeds of the setting of each."""
        return np.bincount(self.setting)[self.setting]

    @property
    def share(self) -> np.ndarray:
        """(p,) weight of each in the mean over settings of the mean over seeds."""
        return 1 / (self.seeds * np.unique(self.setting).size)

    @property
    def is_borrowing(self) -> np.ndarray:
        """(p,) whether its setting has one seed and others have more."""
        return (self.seeds == 1) & (self.seeds.max() > 1)


@dataclass(frozen=True)
class SeedVariance:
    """Of the mean of differences, as far as another training would change it.

    Attributes:
        net: less what the choice of cases explains; 0 or more.
        gross: with it.
        degrees: of freedom of ``gross``; 0 without a setting of several seeds.
    """

    net: float = 0.0
    gross: float = 0.0
    degrees: float = 0.0


def seed_variance(value: np.ndarray, drawn: np.ndarray, rows: Rows) -> SeedVariance:
    """Variance between the seeds of ``share @ value``.

    What seed r adds to the mean is ``c_r = Σ share·(value - mean of its setting)``,
    each setting's part times sqrt(S / (S - 1)). Settings with several seeds have the
    variance ``Σ c_r²``: how the settings of one seed go together is in it. Settings
    with one seed add ``Σ share_i·share_j·v_ij`` over all pairs of rows of one seed
    that hold such a setting: v_ij is the pooled variance (i = j), covariance of two
    differences against one base run, or covariance of two others. Without a pair to
    estimate it from, the first covariance is half the variance, since one of two
    trainings is common, and the second 0.

    Args:
        value: (p,) differences.
        drawn: (p, draws) the same on common draws of cases, finite.
        rows: what each is of.
    """
    seeds, share = rows.seeds, rows.share
    several = seeds > 1
    if not several.any():
        return SeedVariance()
    own = np.where(several, share, 0) * (seeds / np.maximum(seeds - 1, 1)) ** 0.5
    by_seed = np.eye(int(rows.seed.max()) + 1)[:, rows.seed] * own
    gross = float(((by_seed @ _centered(value, rows.setting)) ** 2).sum())
    rest = _centered(drawn, rows.setting)
    from_cases = float((by_seed @ rest).var(axis=1, ddof=1).sum())
    lent, lent_from_cases = _lent(value, rest, rows)
    gross, from_cases = gross + lent, from_cases + lent_from_cases
    settings = np.unique(rows.setting[several])
    degrees = np.bincount(rows.setting)[settings].mean() - 1
    return SeedVariance(max(0.0, gross - from_cases), gross, float(degrees))


def _centered(values: np.ndarray, setting: np.ndarray) -> np.ndarray:
    """(p, …) less the mean over the rows of its setting."""
    is_same = setting[:, None] == setting
    return values - (is_same / is_same.sum(axis=1, keepdims=True)) @ values


def _lent(value: np.ndarray, rest: np.ndarray, rows: Rows) -> tuple[float, float]:
    """Gross variance of the settings with one seed, and the part of the cases in it."""
    if not rows.is_borrowing.any():
        return 0.0, 0.0
    of_values = np.multiply.outer(*[_centered(value, rows.setting)] * 2)
    of_cases = np.atleast_2d(np.cov(rest))
    is_seed = rows.seed[:, None] == rows.seed
    is_base = (rows.base[:, None] == rows.base) & is_seed
    is_itself = np.eye(len(value), dtype=bool)
    is_lent = rows.is_borrowing[:, None] | rows.is_borrowing
    weight = np.multiply.outer(rows.share, rows.share) * is_lent
    # Of one residual, and of the product of two, is lost what their means took.
    known = 1 - 1 / np.sqrt(np.multiply.outer(rows.seeds, rows.seeds))
    first, second = (
        (float(found[is_itself].sum()) / float(known[is_itself].sum()))
        for found in (of_values, of_cases)
    )
    gross, from_cases = (
        first * weight[is_itself].sum(),
        second * weight[is_itself].sum(),
    )
    for is_kind, otherwise in (
        (is_base & ~is_itself, 0.5),
        (is_seed & ~is_base, 0.0),
    ):
        total = float(weight[is_kind].sum())
        evidence = float((known * ~is_lent)[is_kind].sum())
        covariances = [otherwise * first, otherwise * second]
        if evidence > 0:
            found = (
                float((m * ~is_lent)[is_kind].sum()) for m in (of_values, of_cases)
            )
            covariances = [each / evidence for each in found]
        # Trainings of one seed share labels and a base run: never less than alone.
        if covariances[0] > covariances[1]:
            gross += total * covariances[0]
            from_cases += total * covariances[1]
    return float(gross), float(from_cases)
