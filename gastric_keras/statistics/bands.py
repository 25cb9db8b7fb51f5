"""Bands around a ROC or precision-recall curve, by drawing whole cases.

The cases are drawn as for the intervals of the scores (see ``bootstrap``). The bands
are pointwise, percentiles of the drawn curves widened for few cases
(``intervals.widen``); a whole curve leaves them more often, and so does its end near 1,
where most draws of few cases are 1 (benchmarks/evidence/band_coverage.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gastric_keras.statistics.bootstrap import rarer_cases
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.intervals import too_few, widen
from gastric_keras.statistics.scores import check_cases, check_pairs

#: Places of the axis, from 0 to 1.
PLACES = 101


@dataclass(frozen=True)
class Band:
    """Lower and upper line over an axis from 0 to 1, each (PLACES,) float64."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray


_Heights = Callable[[np.ndarray, np.ndarray], np.ndarray]


def roc_band(
    label: np.ndarray,
    score: np.ndarray,
    case_id: np.ndarray,
    draws: Draws = Draws(),
) -> Band | None:
    """Sensitivity over 1 - specificity.

    Args:
        label: (n,) 0 or 1.
        score: (n,) float in [0, 1].
        case_id: (n,) str; cases are drawn whole.
        draws: how many, from which seed, and the confidence of each place.

    Returns:
        The band; None where there are too few cases for one.

    Raises:
        InputError: bad shape, range or NaN.
    """
    x = np.linspace(0, 1, PLACES)

    def heights(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        return np.interp(x, negative / negative[-1], positive / positive[-1])

    return _band(x, heights, label, score, case_id, draws)


def precision_recall_band(
    label: np.ndarray,
    score: np.ndarray,
    case_id: np.ndarray,
    draws: Draws = Draws(),
) -> Band | None:
    """Precision over recall; arguments and answer as of :func:`roc_band`.

    Between two recalls of the curve, the precision is that of the higher one, as in
    the steps of the curve.
    """
    x = np.linspace(0, 1, PLACES)

    def heights(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        precision = positive[1:] / (positive + negative)[1:]
        recall = positive[1:] / positive[-1]
        # The last place is 1, and so is the last recall, to the bit.
        return precision[np.searchsorted(recall, x)]

    return _band(x, heights, label, score, case_id, draws)


def _band(
    x: np.ndarray,
    heights: _Heights,
    label: np.ndarray,
    score: np.ndarray,
    case_id: np.ndarray,
    draws: Draws,
) -> Band | None:
    label, score = check_pairs(label, score)
    names, case = check_cases(case_id, label.size)
    counts = list(_drawn_counts(label, score, case, len(names), draws))
    rarer = rarer_cases(label, case)
    if too_few(len(counts), draws.draws, rarer):
        return None
    lines = np.stack([heights(positive, negative) for positive, negative in counts])
    tail = (1 - widen(draws.confidence, rarer)) / 2
    low, high = np.quantile(lines, [tail, 1 - tail], axis=0)
    return Band(x, low, high)


def _drawn_counts(
    label: np.ndarray,
    score: np.ndarray,
    case: np.ndarray,
    cases: int,
    draws: Draws,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positives and negatives at or above each distinct score, from 0 to all of them;
    draws of one class only are left out."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(-score[order], append=np.inf))
    truth, owner = label[order], case[order]
    rng = np.random.default_rng(draws.seed)
    for _ in range(draws.draws):
        weight = np.bincount(rng.integers(cases, size=cases), minlength=cases)[owner]
        positive = np.cumsum(weight * truth)[ends]
        total = np.cumsum(weight)[ends]
        if 0 < positive[-1] < total[-1]:
            negative = total - positive
            # A case that was not drawn gives a place with nothing called.
            start = np.searchsorted(total, 1)
            yield (
                np.concatenate([[0], positive[start:]]),
                np.concatenate([[0], negative[start:]]),
            )
