"""Label efficiency: AUC against labels per class, with and without a second stage.

The one-stage curve, made monotone, is inverted: how many labels does one stage need
to reach the AUC of two stages with n?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import isotonic_regression

from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.intervals import percentiles, widen


@dataclass(frozen=True)
class CurvePoint:
    """Mean AUC over seeds at one number of labels.

    Attributes:
        labels: per class.
        auc: mean over seeds.
        low: lower end of the interval over cases and seeds; None: not defined.
        high: upper end.
        seeds: how many.
    """

    labels: float
    auc: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True)
class Saving:
    """Two stages with ``labels`` equal one stage with ``equal`` labels per class.

    Attributes:
        labels: per class, of two stages.
        equal: of one stage, in the range that was tried; at its ends: or beyond.
        low: lower end of the interval, in the same range.
        high: upper end.
        tried: the least and the most labels of one stage.
    """

    labels: float
    equal: float
    low: float
    high: float
    tried: tuple[float, float]


def curve_points(
    auc: Mapping[float, Sequence[float]],
    drawn: Mapping[float, np.ndarray],
    *,
    draws: Draws,
    cases: int,
) -> tuple[CurvePoint, ...]:
    """A curve with its band.

    Args:
        auc: labels per class -> one AUC a seed.
        drawn: labels per class -> (draws,) mean AUC over drawn cases and seeds, on the
            same draws for every number of labels; NaN where it is not defined.
        draws: that ``drawn`` is of, with the confidence of the band.
        cases: of the rarer class; the band is widened for few (``intervals.widen``),
            and of one there is none.
    """
    points = []
    for labels in sorted(auc):
        values = drawn[labels][np.isfinite(drawn[labels])]
        low = high = None
        if values.size and cases > 1:
            low, high = percentiles(values, widen(draws.confidence, cases))
        mean = float(np.mean(auc[labels]))
        points.append(CurvePoint(labels, mean, low, high, len(auc[labels])))
    return tuple(points)


def savings(
    one: Mapping[float, Sequence[float]],
    two: Mapping[float, Sequence[float]],
    one_drawn: Mapping[float, np.ndarray],
    two_drawn: Mapping[float, np.ndarray],
    *,
    draws: Draws,
    cases: int,
) -> tuple[Saving, ...]:
    """What two stages save, for each number of labels that they were tried with.

    Args:
        one: labels per class -> one AUC a seed, one stage; two numbers or more.
        two: the same for two stages.
        one_drawn: as ``drawn`` of :func:`curve_points`, for one stage.
        two_drawn: for two stages, on the same draws.
        draws: as there, with the confidence of the interval.
        cases: as there; of one nothing can be said.
    """
    if cases < 2:
        return ()
    labels = sorted(one)
    curve = [float(np.mean(one[n])) for n in labels]
    curves = np.stack([one_drawn[n] for n in labels], axis=1)
    found = []
    for n in sorted(two):
        drawn = np.column_stack([curves, two_drawn[n]])
        drawn = drawn[np.isfinite(drawn).all(axis=1)]
        equal = [labels_for(row[-1], labels, row[:-1]) for row in drawn]
        low, high = percentiles(np.array(equal), widen(draws.confidence, cases))
        value = labels_for(float(np.mean(two[n])), labels, curve)
        found.append(Saving(n, value, low, high, (labels[0], labels[-1])))
    return tuple(found)


def labels_for(auc: float, labels: Sequence[float], curve: Sequence[float]) -> float:
    """The fewest labels with which a curve reaches an AUC.

    Args:
        auc: to reach.
        labels: (k,) rising.
        curve: (k,) AUC at each; its nearest rising curve is taken (isotonic
            regression), straight between two numbers of labels on a log scale.

    Returns:
        Labels, from ``labels[0]`` (there already) to ``labels[-1]`` (or never).
    """
    rising = isotonic_regression(np.asarray(curve, float))
    if auc <= rising[0]:
        return float(labels[0])
    if auc > rising[-1]:
        return float(labels[-1])
    above = int(np.searchsorted(rising, auc))
    share = (auc - rising[above - 1]) / (rising[above] - rising[above - 1])
    low, high = np.log(labels[above - 1]), np.log(labels[above])
    # A rounding of exp and log must not lift it above the number that it reaches.
    return float(min(np.exp(low + share * (high - low)), labels[above]))


def spell_saving(about: str, saving: Saving) -> str:
    """One sentence, with its interval.

    Args:
        about: network and mid-level set.
        saving: of them.
    """
    least, most = saving.tried

    def spell(value: float) -> str:
        if value <= least:
            return f"{least:.0f} or fewer"
        return f"{most:.0f} or more" if value >= most else f"{value:.0f}"

    return (
        f"{about}: two stages with {saving.labels:.0f} labels a class equal one stage "
        f"with {spell(saving.equal)} (95 % interval {spell(saving.low)} to "
        f"{spell(saving.high)})."
    )
