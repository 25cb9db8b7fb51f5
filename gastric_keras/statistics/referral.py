"""Accuracy where the least sure patches are referred to a person, by share referred."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.intervals import too_few, widen
from gastric_keras.statistics.scores import check_cases, check_pairs

#: Shares of the patches that are referred.
SHARES = tuple(round(0.05 * step, 2) for step in range(19))


@dataclass(frozen=True)
class ReferralCurve:
    """Accuracy of the patches that are kept, at each share referred.

    Attributes:
        shares: of the patches that are referred, rising from 0.
        accuracy: of those that are kept.
        low: lower ends of the intervals by case; empty where there are none.
        high: upper ends.
        reason: in words, why there are none; None if there are.
    """

    shares: tuple[float, ...]
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    reason: str | None = None


def binary_entropy(score: np.ndarray) -> np.ndarray:
    """``-p·log₂ p - (1 - p)·log₂(1 - p)`` in bits: 1 at 0.5, 0 at 0 and 1.

    Args:
        score: (n,) in [0, 1].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -score * np.log2(score) - (1 - score) * np.log2(1 - score)
    return np.where((score > 0) & (score < 1), bits, 0.0)


def referral_curve(
    label: np.ndarray,
    score: np.ndarray,
    case_id: np.ndarray,
    *,
    doubt: np.ndarray,
    threshold: float,
    draws: Draws = Draws(),
) -> ReferralCurve:
    """Refer the patches of the highest doubt, and score the others.

    A share that falls inside a patch counts that part of it; patches of equal doubt
    go in the order given. Each draw of cases has an order and shares of its own, so
    the intervals are of each share by itself.

    Args:
        label: (n,) 0 or 1.
        score: (n,) in [0, 1], of the positive class.
        case_id: (n,) str; cases are drawn whole.
        doubt: (n,) float, the higher the less sure.
        threshold: positive where ``score >= threshold``.
        draws: how many, from which seed, and the confidence of the intervals.

    Raises:
        InputError: bad shape, range or NaN.
    """
    label, score = check_pairs(label, score)
    names, case = check_cases(case_id, label.size)
    order = np.argsort(doubt, kind="stable")
    is_right = ((score >= threshold) == (label == 1))[order]
    owner = case[order]
    kept = 1 - np.array(SHARES)

    def accuracy(weight: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0], np.cumsum(weight)])
        right = np.concatenate([[0], np.cumsum(weight * is_right)])
        wanted = kept * total[-1]
        return np.interp(wanted, total, right) / wanted

    def drawn() -> Iterator[np.ndarray]:
        rng, cases = np.random.default_rng(draws.seed), len(names)
        for _ in range(draws.draws):
            times = np.bincount(rng.integers(cases, size=cases), minlength=cases)
            yield accuracy(times[owner])

    low = high = np.array([])
    reason = too_few(draws.draws, draws.draws, len(names))
    if reason is None:
        tail = (1 - widen(draws.confidence, len(names))) / 2
        low, high = np.quantile(np.stack(list(drawn())), [tail, 1 - tail], axis=0)
    return ReferralCurve(
        shares=SHARES,
        accuracy=tuple(accuracy(np.ones(label.size)).tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        reason=reason,
    )
