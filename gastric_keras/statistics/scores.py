"""Point scores of a two-class classifier, for many weightings of the same patches.

One implementation gives the score itself (every weight 1) and its bootstrap draws
(each patch weighs as often as its case was drawn), so the two cannot disagree.
A patch is called positive where its score is at or above the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gastric_keras.support.errors import InputError

#: Equal-width bins of the calibration error.
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Score:
    """One figure with its interval, or the reason why there is none.

    Attributes:
        value: the score; None where it is not defined.
        low: lower end of the interval; None where there is no interval.
        high: upper end.
        method: how the interval was made: ``bootstrap`` (cases drawn with
            replacement, Student's t on the logit scale), ``delong`` (asymptotic,
            takes patches for independent), or ``exact`` (no draw differs from the
            value at the end of the scale, so a binomial bound over the cases is
            used).
        reason: in words, why the value or the interval is missing; None if it is not.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    method: Literal["bootstrap", "delong", "exact"] | None = None
    reason: str | None = None


def check_pairs(
    label: Any, score: Any, *, is_probability: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Validate labels and scores.

    Args:
        label: (n,) 0 or 1, n ≥ 1.
        score: (n,) finite; in [0, 1] if ``is_probability``.
        is_probability: False for uses that look at the order of the scores only.

    Returns:
        label (n,) int64 and score (n,) float64.

    Raises:
        InputError: another shape, type or range, or NaN.
    """
    label, score = np.asarray(label), np.asarray(score)
    if label.ndim != 1 or score.shape != label.shape or label.size == 0:
        raise InputError(
            "Labels and scores must have the same length, one axis and at least one "
            f"row, got label.shape={label.shape}, score.shape={score.shape}. Pass the "
            "score of the positive class only, one per patch."
        )
    if label.dtype.kind not in "biuf" or not np.isin(label, (0, 1)).all():
        raise InputError(
            f"Labels must be 0 and 1, got values {np.unique(label)[:5].tolist()}. "
            "Code the positive class as 1, the other as 0."
        )
    if score.dtype.kind not in "biuf" or not np.isfinite(score).all():
        raise InputError(
            f"Scores must be finite, got {_count_bad(score)} of {score.size} values "
            "NaN, infinite or not a number. Look for diverged training or a damaged "
            "predictions file."
        )
    score = score.astype(np.float64)
    # A softmax in float32 may exceed 1 by a rounding error.
    if is_probability and (score.min() < -1e-6 or score.max() > 1 + 1e-6):
        raise InputError(
            f"Scores must be in [0, 1], got {score.min():.6g} to {score.max():.6g}. "
            "Pass probabilities, not logits."
        )
    return label.astype(np.int64), score.clip(0, 1) if is_probability else score


def not_numbers(score: Any) -> str | None:
    """In words, that a probability is NaN or infinite; None if none is.

    Args:
        score: floats of any shape.
    """
    score = np.asarray(score)
    if score.dtype.kind != "f" or not (bad := _count_bad(score)):
        return None
    return (
        f"{bad} of {score.size} probabilities are NaN or infinite: a diverged "
        "training or a broken file"
    )


def check_cases(case_id: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Validate case ids.

    Args:
        case_id: (n,) str, or anything with a distinct spelling.
        n: number of patches.

    Returns:
        (cases,) sorted distinct ids as str, and (n,) int64 index into them.

    Raises:
        InputError: another length.
    """
    case_id = np.asarray(case_id)
    if case_id.shape != (n,):
        raise InputError(
            f"case_id must have one id per patch, shape ({n},), got {case_id.shape}. "
            "Use the image as its own case where the patient is not known."
        )
    return np.unique(case_id.astype(str), return_inverse=True)


def ranking_scores(
    label: np.ndarray, score: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """AUC and PR-AUC by weighted ranks.

    ``auc = Σ_s w⁺(s)·(W⁻(<s) + w⁻(s)/2) / (W⁺·W⁻)`` over distinct scores s;
    ``pr_auc = Σ_s precision(≥s)·w⁺(s) / W⁺`` (average precision: no interpolation).

    Args:
        label: (n,) 0 or 1.
        score: (n,) float.
        weight: (draws, n) ≥ 0.

    Returns:
        name -> (draws,) float64, NaN where a draw holds one class only.
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    weight = weight[:, order]
    total = np.add.reduceat(weight, starts, axis=1).astype(np.float64)
    positive = np.add.reduceat(weight * label[order], starts, axis=1)
    negative = total - positive
    below = np.cumsum(negative, axis=1) - negative
    above = np.cumsum(total[:, ::-1], axis=1)[:, ::-1]
    hits = np.cumsum(positive[:, ::-1], axis=1)[:, ::-1]
    positives, negatives = positive.sum(axis=1), negative.sum(axis=1)
    is_defined = (positives > 0) & (negatives > 0)
    pairs = np.where(is_defined, positives * negatives, np.nan)
    precision = np.divide(hits, above, out=np.zeros_like(hits, float), where=above > 0)
    return {
        "auc": (positive * (below + negative / 2)).sum(axis=1) / pairs,
        "pr_auc": (precision * positive).sum(axis=1)
        / np.where(is_defined, positives, np.nan),
    }


def calibration_scores(
    label: np.ndarray, score: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """Brier score and expected calibration error of the positive class.

    ``brier = mean (score - label)²``; ``ece = Σ_b n_b/n·|mean score - mean label|``
    over ten bins of equal width, the last one closed.

    Args:
        label: (n,) 0 or 1.
        score: (n,) float in [0, 1].
        weight: (draws, n) ≥ 0.

    Returns:
        name -> (draws,) float64.
    """
    bins = np.minimum((score * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.eye(CALIBRATION_BINS)[bins] * (score - label)[:, None]
    total = weight.sum(axis=1)
    return {
        "brier": weight @ (score - label) ** 2 / total,
        "ece": np.abs(weight @ gaps).sum(axis=1) / total,
    }


def threshold_scores(
    label: np.ndarray,
    score: np.ndarray,
    threshold: float | np.ndarray,
    weight: np.ndarray,
) -> dict[str, np.ndarray]:
    """Scores of the calls that a threshold makes.

    The class averages are the plain mean of the score of the positive class and the
    same score of the negative class, as most rows of the paper's tables have it.

    Args:
        label: (n,) 0 or 1.
        score: (n,) float.
        threshold: positive where ``score >= threshold``; () or (n,).
        weight: (draws, n) ≥ 0.

    Returns:
        name -> (draws,) float64, NaN where a denominator is 0.
    """
    tn, fp, fn, tp = (weight @ _cells(label, score, threshold)).T.astype(np.float64)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is promised
        sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
        precision, negative_precision = tp / (tp + fp), tn / (tn + fn)
        return {
            "accuracy": (tp + tn) / (tn + fp + fn + tp),
            "sensitivity": sensitivity,
            "specificity": specificity,
            "precision": precision,
            "f1": 2 * tp / (2 * tp + fp + fn),
            "precision_class_average": (precision + negative_precision) / 2,
            "recall_class_average": (sensitivity + specificity) / 2,
        }


def confusion_matrix(
    label: np.ndarray, score: np.ndarray, threshold: float | np.ndarray
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Counts ``((tn, fp), (fn, tp))``: row = truth, column = call, negative first."""
    tn, fp, fn, tp = (int(n) for n in _cells(label, score, threshold).sum(axis=0))
    return (tn, fp), (fn, tp)


def _cells(
    label: np.ndarray, score: np.ndarray, threshold: float | np.ndarray
) -> np.ndarray:
    """(n, 4) int64, one 1 a row: true negative, false positive, false negative, hit."""
    return np.eye(4, dtype=np.int64)[2 * label + (score >= threshold)]


def _count_bad(score: np.ndarray) -> int:
    if score.dtype.kind not in "biuf":
        return int(score.size)
    return int((~np.isfinite(score)).sum())
