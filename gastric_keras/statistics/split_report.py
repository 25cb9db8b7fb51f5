"""Every score of one split of a two-class classifier, with intervals.

The parts can be used alone: ``delong.auc_interval``, ``bootstrap.cluster_bootstrap``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gastric_keras.statistics.bootstrap import cluster_bootstrap
from gastric_keras.statistics.delong import auc_interval
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.scores import (
    Score,
    check_cases,
    check_pairs,
    confusion_matrix,
    not_numbers,
    threshold_scores,
)
from gastric_keras.support.errors import require

Confusion = tuple[tuple[int, int], tuple[int, int]]

NO_CALLS: Confusion = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Calls:
    """The calls at one threshold and how good they are.

    Attributes:
        threshold: a row is called positive where its score is at or above it.
        confusion: ``((tn, fp), (fn, tp))``; all 0 where scores are not numbers.
        scores: accuracy, sensitivity (recall of the positive class), specificity,
            precision (of the positive class), f1, and precision_class_average and
            recall_class_average: the plain mean over the two classes.
    """

    threshold: float
    confusion: Confusion
    scores: dict[str, Score]


@dataclass(frozen=True)
class UnitReport:
    """Scores where the unit is the patch, or the case.

    Attributes:
        n: number of units.
        positives: how many of them are positive.
        scores: auc, auc_delong (same value, DeLong's interval), pr_auc (average
            precision), brier, ece (ten bins); these need no threshold. Where the
            probabilities were also scaled by a temperature, brier_calibrated and
            ece_calibrated; the others are of the raw ones.
        at_half: calls at 0.5.
        at_threshold: calls at the validation threshold.
    """

    n: int
    positives: int
    scores: dict[str, Score]
    at_half: Calls
    at_threshold: Calls


@dataclass(frozen=True)
class Report:
    """Every score of one split, per patch and per case; JSON through ``asdict``.

    Attributes:
        n: number of patches.
        cases: number of cases.
        positives: number of positive patches.
        mixed_cases: cases that hold both classes; they count as positive.
        threshold: from the validation split, chosen on patches.
        confidence: of the intervals.
        bootstrap: number of draws.
        seed: of the draws.
        patch: the unit is the patch, the cases are drawn.
        case: the unit is the case: score = mean over its patches, label = positive
            if any of its patches is.
    """

    n: int
    cases: int
    positives: int
    mixed_cases: int
    threshold: float
    confidence: float
    bootstrap: int
    seed: int
    patch: UnitReport
    case: UnitReport

    @property
    def draws(self) -> Draws:
        """How its cases were drawn: another score of the same split is drawn alike."""
        return Draws(self.bootstrap, self.confidence, self.seed)


def report(
    label: Any,
    score: Any,
    case_id: Any,
    *,
    threshold: float | np.ndarray,
    calibrated: Any = None,
    draws: Draws = Draws(),
) -> Report:
    """All scores of one split with case-clustered intervals.

    Args:
        label: (n,) 0 or 1.
        score: (n,) float in [0, 1], probability of the positive class; where one is
            NaN or infinite no score of the split is defined.
        case_id: (n,) str.
        threshold: in [0, 1], from ``best_threshold`` on the validation split; (n,),
            the same for all patches of a case, where several classifiers made the
            scores. The report then names their mean.
        calibrated: (n,) float in [0, 1], the score after temperature scaling (see
            ``calibration``), for brier_calibrated and ece_calibrated; None: neither.
        draws: how many, from which seed, and the confidence of the intervals.

    Returns:
        The report. A score that is not defined (one class only, nothing called
        positive, a probability of NaN) has value None, an interval that
        is not (one case only) has ends None, each with a reason in words.

    Raises:
        InputError: bad shape or range.
    """
    if reason := not_numbers(score):
        zeros = np.zeros(np.shape(score))
        scaled = None if calibrated is None else zeros
        whole = report(
            label, zeros, case_id, threshold=threshold, calibrated=scaled, draws=draws
        )
        return replace(
            whole, patch=_blank(whole.patch, reason), case=_blank(whole.case, reason)
        )
    label, score = check_pairs(label, score)
    names, case = check_cases(case_id, label.size)
    thresholds = _check_thresholds(threshold, label.size)
    case_names, case_label, case_score = case_means(label, score, names[case])
    case_calibrated = None
    if calibrated is not None:
        case_calibrated = case_means(label, calibrated, names[case])[2]
    first = np.unique(case, return_index=True)[1]
    negative_too = np.bincount(case, weights=1 - label) > 0
    return Report(
        n=label.size,
        cases=len(names),
        positives=int(label.sum()),
        mixed_cases=int((negative_too & (case_label == 1)).sum()),
        threshold=_mean(thresholds),
        confidence=draws.confidence,
        bootstrap=draws.draws,
        seed=draws.seed,
        patch=_unit_report(
            label, score, names[case], calibrated, threshold=thresholds, draws=draws
        ),
        case=_unit_report(
            case_label,
            case_score,
            case_names,
            case_calibrated,
            threshold=thresholds[first],
            draws=draws,
        ),
    )


def case_means(
    label: Any, score: Any, case_id: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patches to cases.

    Args:
        label: (n,) 0 or 1.
        score: (n,) float in [0, 1].
        case_id: (n,) str.

    Returns:
        case_id (cases,) sorted, label (cases,) int64 (1 if any patch is 1), score
        (cases,) float64, the mean over the case's patches.

    Raises:
        InputError: bad shape, range or NaN.
    """
    label, score = check_pairs(label, score)
    names, case = check_cases(case_id, label.size)
    positives = np.bincount(case, weights=label)
    mean = np.bincount(case, weights=score) / np.bincount(case)
    return names, (positives > 0).astype(np.int64), mean.clip(0, 1)


def _unit_report(
    label: np.ndarray,
    score: np.ndarray,
    case_id: np.ndarray,
    calibrated: np.ndarray | None,
    *,
    threshold: np.ndarray,
    draws: Draws,
) -> UnitReport:
    half = np.full_like(threshold, 0.5)
    called = threshold_scores(label, score, half, np.ones((1, label.size)))

    def scores_at(at: np.ndarray) -> dict[str, Score]:
        return cluster_bootstrap(
            label, score, case_id, calibrated=calibrated, threshold=at, draws=draws
        )

    def point(at: np.ndarray, scores: dict[str, Score]) -> Calls:
        return Calls(
            threshold=_mean(at),
            confusion=confusion_matrix(label, score, at),
            scores={key: scores[key] for key in called},
        )

    at_half = scores_at(half)
    at_threshold = at_half if (threshold == 0.5).all() else scores_at(threshold)
    free = {key: v for key, v in at_half.items() if key not in called}
    free = {
        "auc": free.pop("auc"),
        "auc_delong": _delong_score(label, score, draws.confidence),
    } | free

    return UnitReport(
        n=label.size,
        positives=int(label.sum()),
        scores=free,
        at_half=point(half, at_half),
        at_threshold=point(threshold, at_threshold),
    )


def _check_thresholds(threshold: float | np.ndarray, size: int) -> np.ndarray:
    """(n,) in [0, 1], one for each patch."""
    thresholds = np.broadcast_to(np.asarray(threshold, float), (size,))
    require(
        bool(np.all((0 <= thresholds) & (thresholds <= 1))),
        "threshold must be in [0, 1]",
        "Take it from best_threshold on the validation split.",
        threshold=threshold,
    )
    return thresholds


def _mean(threshold: np.ndarray) -> float:
    # Of equal ones the value itself, to the bit.
    first = float(threshold.flat[0])
    return first if (threshold == first).all() else float(threshold.mean())


def _blank(unit: UnitReport, reason: str) -> UnitReport:
    """The same unit with every score not defined, for one reason."""

    def point(at: Calls) -> Calls:
        scores = {name: Score(None, reason=reason) for name in at.scores}
        return Calls(at.threshold, NO_CALLS, scores)

    return replace(
        unit,
        scores={name: Score(None, reason=reason) for name in unit.scores},
        at_half=point(unit.at_half),
        at_threshold=point(unit.at_threshold),
    )


def _delong_score(label: np.ndarray, score: np.ndarray, confidence: float) -> Score:
    if min(label.sum(), (1 - label).sum()) < 2:
        return Score(None, reason="needs two or more of each class")
    value, low, high = auc_interval(label, score, confidence=confidence)
    return Score(value, low, high, method="delong")
