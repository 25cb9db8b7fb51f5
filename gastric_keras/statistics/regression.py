"""How close predicted numbers come to true ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Numbers = npt.NDArray[np.floating]


def mean_absolute_error(truth: Numbers, predicted: Numbers) -> float:
    """``mean |predicted − truth|`` over patches and quantities.

    Args:
        truth: (n, k).
        predicted: (n, k).
    """
    return float(np.abs(np.asarray(predicted, float) - truth).mean())


def r_squared(truth: Numbers, predicted: Numbers) -> npt.NDArray[np.float64]:
    """``1 − Σ (predicted − truth)² / Σ (truth − mean truth)²`` of each quantity.

    Args:
        truth: (n, k).
        predicted: (n, k).

    Returns:
        (k,) at most 1; 0 for the mean of the truth; NaN where the truth never changes.
    """
    truth = np.asarray(truth, float)
    rest = ((predicted - truth) ** 2).sum(axis=0)
    total = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return np.where(total > 0, 1 - rest / np.where(total > 0, total, 1), np.nan)


def rank_correlation(truth: Numbers, predicted: Numbers) -> npt.NDArray[np.float64]:
    """Spearman's correlation of each quantity, equal values at their mean rank.

    Args:
        truth: (n, k).
        predicted: (n, k).

    Returns:
        (k,) in [-1, 1]; NaN where either never changes.
    """
    ranks = [rankdata(values, axis=0) for values in (truth, predicted)]
    one, two = (each - each.mean(axis=0) for each in ranks)
    scale = np.sqrt((one**2).sum(axis=0) * (two**2).sum(axis=0))
    return np.where(
        scale > 0, (one * two).sum(axis=0) / np.where(scale, scale, 1), np.nan
    )
