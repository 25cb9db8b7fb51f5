"""Decision thresholds, chosen on the validation split."""

from __future__ import annotations

from typing import Any

import numpy as np

from gastric_keras.statistics.scores import check_pairs
from gastric_keras.support.errors import InputError


def best_threshold(label: Any, score: Any) -> float:
    """Threshold of the highest Youden index, to be chosen on the validation split.

    ``J = sensitivity + specificity - 1`` with positive where ``score >= threshold``
    (Youden 1950, doi 10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3).
    Candidates are 0, 0.5 and the midpoints between neighboring distinct scores;
    among equals the nearest to 0.5 wins, then the lower.

    Args:
        label: (n,) 0 or 1, both present.
        score: (n,) float in [0, 1].

    Returns:
        The threshold, in [0, 1].

    Raises:
        InputError: bad shape, range or NaN, or one class only.

    Example:
        >>> best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
        0.25
    """
    label, score = check_pairs(label, score)
    if label.min() == label.max():
        raise InputError(
            "A threshold must be chosen on patches of both classes, got "
            f"{label.size} times {label[0]}. Use a validation split with both classes."
        )
    distinct = np.unique(score)
    middle = (distinct[1:] + distinct[:-1]) / 2
    # Between two neighboring doubles the midpoint rounds onto one of them.
    middle = np.where(middle > distinct[:-1], middle, distinct[1:])
    candidates = np.unique(np.concatenate([[0.0, 0.5], middle]))
    positive, negative = np.sort(score[label == 1]), np.sort(score[label == 0])
    missed = np.searchsorted(positive, candidates, side="left")
    spared = np.searchsorted(negative, candidates, side="left")
    # Whole numbers, so that equal J are equal: J·m·n + const.
    youden = spared * positive.size - missed * negative.size
    best = candidates[youden == youden.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def threshold_for(label: Any, score: Any, *, kept: str, least: float) -> float:
    """The threshold that reaches a sensitivity or specificity at the least cost.

    Args:
        label: (n,) 0 or 1, both present.
        score: (n,) float in [0, 1].
        kept: ``sensitivity``: the highest threshold whose sensitivity is at least
            ``least``; ``specificity``: the lowest whose specificity is.
        least: in (0, 1].

    Returns:
        The threshold: half-way between two scores, 0, or just above the highest, where
        nothing is called positive.

    Example:
        >>> scores = [0.1, 0.6, 0.4, 0.9]
        >>> threshold_for([0, 0, 1, 1], scores, kept="sensitivity", least=1)
        0.25
    """
    label, score = check_pairs(label, score)
    distinct = np.unique(score)
    middle = (distinct[1:] + distinct[:-1]) / 2
    middle = np.where(middle > distinct[:-1], middle, distinct[1:])
    candidates = np.concatenate([[0.0], middle, [np.nextafter(distinct[-1], 2)]])
    own = np.sort(score[label == (kept == "sensitivity")])
    below = np.searchsorted(own, candidates, side="left")
    if kept == "sensitivity":
        keeps = own.size - below >= least * own.size - 1e-9
        return float(candidates[keeps].max())
    keeps = below >= least * own.size - 1e-9
    return float(candidates[keeps].min())
