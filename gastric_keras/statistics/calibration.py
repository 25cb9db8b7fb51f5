"""Temperature scaling: probabilities that are as often right as they say.

One number T, fitted on the validation split, divides the logits of every patch: where
T > 1 the network was too sure, where T < 1 too timid (Guo et al. 2017, arXiv
1706.04599). ``softmax(log p / T)`` is the same from probabilities alone.

What it does: it brings the mean probability closer to the share that is right, which
Brier score and calibration error before and after show. What it does not: it changes
no order and no call, so AUC, PR-AUC and every score at a threshold stay (with two
classes; ``scale_threshold`` takes the threshold through the same map); it does not
fix a probability that is wrong for one class or one kind of case only; it holds for
pictures like those of the validation split; and as it counts patches, a case with many
patches weighs more. Intervals of the scores after scaling take T for known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

from gastric_keras.support.errors import require

#: Smallest and largest temperature: beyond, probabilities are 0, 1 or all alike.
BOUNDS = (0.05, 20.0)
#: A softmax in float32 says 0 below this; the logit is not known beyond.
SMALLEST = float(np.finfo(np.float32).tiny)


def fit_temperature(label: Any, probability: Any) -> float:
    """The temperature of the smallest negative log-likelihood.

    ``NLL(T) = -mean log softmax(log p / T)[label]`` is convex in 1/T, so the root of
    its derivative is the only minimum. Where there is none to be found the answer is
    defined all the same: 1 (leave as it is) where the labels hold one class only,
    where every row gives its classes the same probability, or where every row is
    right, for then the likelihood would have certainty of every call; and the upper
    bound, nearly uniform probabilities, where they are no better than chance.

    Args:
        label: (n,) int, index of the true class, of the validation split.
        probability: (n, classes) float in [0, 1], rows sum to 1. Below 1.2e-38 it is
            taken for 1.2e-38.

    Returns:
        T, within BOUNDS.

    Raises:
        InputError: bad shape, range, NaN, or a label that is no class.

    Example:
        >>> round(fit_temperature([0, 0, 0, 1], [[0.9, 0.1]] * 4), 6)  # 3 in 4 right
        2.0
    """
    label, logit = np.asarray(label), np.log(_check(probability))
    classes = range(logit.shape[1])
    is_index = label.dtype.kind in "iu" and bool(np.isin(label, classes).all())
    require(
        is_index and label.shape == logit.shape[:1],
        f"Labels must be from 0 to {classes[-1]}, of shape ({len(logit)},)",
        "Pass the labels of the same patches.",
        shape=label.shape,
        values=np.unique(label)[:5].tolist(),
    )
    logit -= logit.max(axis=1, keepdims=True)
    true = np.take_along_axis(logit, label[:, None], axis=1)[:, 0]
    # A row whose highest probability is the true class's has a logit of 0 there.
    if label.min() == label.max() or not true.any() or not logit.any():
        return 1.0

    def slope(inverse: float) -> float:
        return float(((softmax(inverse * logit, axis=1) * logit).sum(1) - true).mean())

    coldest, hottest = 1 / BOUNDS[0], 1 / BOUNDS[1]
    if slope(hottest) >= 0:
        return BOUNDS[1]
    if slope(coldest) <= 0:
        return BOUNDS[0]
    return 1 / float(brentq(slope, hottest, coldest, xtol=1e-10))


def calibrate(label: Any, probability: Any, other: Any) -> np.ndarray:
    """Calibrate probabilities by the temperature of a validation split.

    Args:
        label: (n,) int, index of the true class, of the validation split.
        probability: (n, classes) of the validation split.
        other: (m, classes) of another split, to be calibrated.

    Returns:
        (m, classes) float64.

    Raises:
        InputError: as :func:`fit_temperature`.
    """
    return apply_temperature(other, fit_temperature(label, probability))


def apply_temperature(probability: Any, temperature: float) -> np.ndarray:
    """Probabilities after scaling, ``softmax(log p / T)``.

    Args:
        probability: (n, classes) float in [0, 1], rows sum to 1. Below 1.2e-38 it is
            taken for 1.2e-38.
        temperature: > 0; 1 changes nothing.

    Returns:
        (n, classes) float64, rows sum to 1.

    Raises:
        InputError: bad shape, range or NaN.
    """
    require(
        np.isfinite(temperature) and temperature > 0,
        "temperature must be above 0",
        "Take it from fit_temperature or report.json.",
        temperature=temperature,
    )
    return np.exp(log_softmax(np.log(_check(probability)) / temperature, axis=1))


def scale_threshold(threshold: float, temperature: float) -> float:
    """The threshold that makes the same calls on scaled probabilities of two classes.

    The map is the one of the probabilities themselves and never turns their order, so
    ``p >= threshold`` and ``scaled p >= scale_threshold(threshold, T)`` agree, but for
    a scaled probability within a rounding error of the scaled threshold.

    Args:
        threshold: in [0, 1], of the raw probability of the positive class.
        temperature: > 0.

    Returns:
        Threshold in [0, 1] for the scaled probability; 0.5 stays 0.5.

    Raises:
        InputError: out of range.
    """
    pair = apply_temperature([[1 - threshold, threshold]], temperature)
    return float(pair[0, 1])


def _check(probability: Any) -> np.ndarray:
    """(n, classes) float64, held above SMALLEST."""
    p = np.asarray(probability)
    require(
        p.ndim == 2 and p.shape[0] > 0 and p.shape[1] > 1 and p.dtype.kind in "biuf",
        "Probabilities must have shape (n, classes), with at least two classes",
        "Pass the columns of every class.",
        shape=p.shape,
        dtype=str(p.dtype),
    )
    p = p.astype(np.float64)
    is_good = (p >= -1e-6).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3)
    require(
        bool(is_good.all()),
        "Probabilities must be in [0, 1] and sum to 1 in each row",
        "Pass probabilities, not logits; NaN is a sign of diverged training.",
        bad_rows=int((~is_good).sum()),
        first=p[~is_good][:1].tolist(),
    )
    return p.clip(SMALLEST, 1)
