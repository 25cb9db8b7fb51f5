"""Intervals by drawing whole cases with replacement.

Patches of one case resemble each other, so the case is the unit that is drawn
(Davison & Hinkley 1997, doi 10.1017/CBO9780511802843, section 3.8). From the draws to
an interval: ``intervals``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.intervals import share_interval, too_few
from gastric_keras.statistics.scores import (
    Score,
    calibration_scores,
    check_cases,
    check_pairs,
    ranking_scores,
    threshold_scores,
)

#: Values (draws x patches) held at once, about 32 MB in float64.
CHUNK = 1 << 22

Drawn = dict[str, np.ndarray]


def cluster_bootstrap(
    label: Any,
    score: Any,
    case_id: Any,
    *,
    calibrated: Any = None,
    threshold: float | np.ndarray = 0.5,
    draws: Draws = Draws(),
) -> dict[str, Score]:
    """Every score with its case-clustered interval.

    Args:
        label: (n,) 0 or 1.
        score: (n,) float in [0, 1], of the positive class.
        case_id: (n,) str; cases are drawn whole.
        calibrated: (n,) float in [0, 1], the score after temperature scaling; None:
            not scaled, so there is nothing to say of it.
        threshold: positive where ``score >= threshold``; () or (n,).
        draws: how many, from which seed, and the confidence of the intervals.

    Returns:
        name -> Score: auc, pr_auc, brier, ece, accuracy, sensitivity (recall of the
        positive class), specificity, precision (of the positive class), f1,
        precision_class_average, recall_class_average; of ``calibrated``:
        brier_calibrated, ece_calibrated. A score that is not defined is None with its
        reason.

    Raises:
        InputError: bad shape, range or NaN.
    """
    label, score = check_pairs(label, score)
    names, case = check_cases(case_id, label.size)
    scaled = None if calibrated is None else check_pairs(label, calibrated)[1]

    def scores_of(weight: np.ndarray) -> Drawn:
        after = {} if scaled is None else calibration_scores(label, scaled, weight)
        return {
            **ranking_scores(label, score, weight),
            **calibration_scores(label, score, weight),
            **{f"{name}_calibrated": drawn for name, drawn in after.items()},
            **threshold_scores(label, score, threshold, weight),
        }

    value = {
        name: float(v[0]) for name, v in scores_of(np.ones((1, label.size))).items()
    }
    drawn = draw_cases(scores_of, case, len(names), draws)
    evidence = _evidence(label, score >= threshold, case)
    missing = _reasons(label, score >= threshold)
    return {
        name: (
            Score(None, reason=missing[name])
            if np.isnan(value[name])
            else case_interval(
                name, value[name], drawn[name], evidence[name], draws.confidence
            )
        )
        for name in value
    }


def auc_draws(
    label: np.ndarray,
    scores: np.ndarray,
    case_id: np.ndarray,
    draws: Draws = Draws(),
) -> np.ndarray:
    """AUC of several scores of the same patches, on the same draws of cases.

    Args:
        label: (n,) 0 or 1.
        scores: (k, n) float.
        case_id: (n,) str; cases are drawn whole.
        draws: how many, and from which seed.

    Returns:
        (k, draws) float64, NaN where a draw holds one class only.
    """
    names, case = check_cases(case_id, label.size)

    def scores_of(weight: np.ndarray) -> Drawn:
        return {
            str(k): ranking_scores(label, score, weight)["auc"]
            for k, score in enumerate(scores)
        }

    drawn = draw_cases(scores_of, case, len(names), draws)
    return np.stack([drawn[str(k)] for k in range(len(scores))])


def rarer_cases(label: np.ndarray, case_id: np.ndarray) -> int:
    """Cases that hold a patch of the class that fewer cases hold one of.

    Args:
        label: (n,) 0 or 1.
        case_id: (n,).
    """
    return min(np.unique(case_id[label == k]).size for k in (0, 1))


def draw_cases(
    scores_of: Callable[[np.ndarray], Drawn],
    case: np.ndarray,
    cases: int,
    draws: Draws,
) -> Drawn:
    """Scores of each draw of cases, computed in chunks of bounded memory.

    Args:
        scores_of: (draws, n) weights of the patches to scores, (draws,) by name.
        case: (n,) int, the case of each patch, 0 to cases - 1.
        cases: how many.
        draws: how many draws, and from which seed.

    Returns:
        name -> (draws,) float64.
    """
    parts = [
        scores_of(times[:, case])
        for times in _times_drawn(cases, draws, max(1, CHUNK // case.size))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _times_drawn(cases: int, draws: Draws, chunk: int) -> Iterator[np.ndarray]:
    """(≤ chunk, cases) float64: how often each case was drawn; same for any chunk."""
    rng = np.random.default_rng(draws.seed)
    for start in range(0, draws.draws, chunk):
        rows = min(chunk, draws.draws - start)
        picks = rng.integers(cases, size=(rows, cases))
        flat = picks + cases * np.arange(rows)[:, None]
        counts = np.bincount(flat.ravel(), minlength=rows * cases)
        yield counts.reshape(rows, cases).astype(np.float64)


@dataclass(frozen=True)
class Evidence:
    """How many cases bear on a score.

    Attributes:
        cases: all of them; for a score that needs both classes, of the rarer.
        degrees: of freedom of its standard error.
        independent: observations that share no case, for the exact bound; 0: none.
    """

    cases: int
    degrees: int
    independent: int


def case_interval(
    name: str, value: float, drawn: np.ndarray, evidence: Evidence, confidence: float
) -> Score:
    """A score in [0, 1] with the interval that its draws give.

    Args:
        name: of the score; one that begins with ``ece`` is no share.
        value: the score.
        drawn: (draws,) the same on draws of the cases; NaN: not defined.
        evidence: the cases that bear on it.
        confidence: in (0, 1).
    """
    finite = drawn[np.isfinite(drawn)]
    if reason := too_few(finite.size, drawn.size, evidence.cases):
        return Score(value, reason=reason)
    if np.ptp(finite) > 1e-12:
        low, high = share_interval(
            value,
            finite,
            cases=evidence.cases,
            degrees=evidence.degrees,
            confidence=confidence,
            # The ECE of a sample is biased upward: its interval must reach down to 0.
            is_logit=not name.startswith("ece") and 0 < value < 1,
        )
        return Score(value, low, high, method="bootstrap")
    if evidence.independent and min(value, 1 - value) < 1e-12:
        # P(all k independent cases agree) ≤ agreement**k: a draw that cannot vary
        # must not pass for a score that is known exactly.
        agreement = ((1 - confidence) / 2) ** (1 / evidence.independent)
        low = agreement * round(value)
        return Score(value, low, low + 1 - agreement, method="exact")
    return Score(value, reason="every draw gives the same value: no interval")


def _evidence(
    label: np.ndarray, is_called: np.ndarray, case: np.ndarray
) -> dict[str, Evidence]:
    def count(mask: np.ndarray) -> int:
        return np.unique(case[mask]).size

    def pairs(mask: np.ndarray) -> int:
        """Disjoint pairs of a case in the mask and one outside."""
        return min(count(mask), count(~mask), cases // 2)

    is_positive = label == 1
    cases, called = np.unique(case).size, count(is_called)
    positive, negative = count(is_positive), count(label == 0)
    both = Evidence(min(positive, negative), cases - 2, pairs(is_positive))
    all_cases = Evidence(cases, cases - 1, 0)
    return {
        "auc": both,
        "pr_auc": both,
        "brier": all_cases,
        "ece": all_cases,
        "brier_calibrated": all_cases,
        "ece_calibrated": all_cases,
        "accuracy": Evidence(cases, cases - 1, cases),
        "sensitivity": Evidence(positive, positive - 1, positive),
        "specificity": Evidence(negative, negative - 1, negative),
        "precision": Evidence(called, called - 1, called),
        "f1": Evidence(cases, cases - 1, positive),
        "precision_class_average": Evidence(cases, cases - 1, pairs(is_called)),
        "recall_class_average": both,
    }


def _reasons(label: np.ndarray, is_called: np.ndarray) -> dict[str, str]:
    """Why each score is not defined, if it is not."""
    only = "positive" if label[0] else "negative"
    both = f"needs both classes; every row is {only}"
    uncalled = "no row is called positive at this threshold"
    if is_called.any():
        uncalled = "no row is called negative at this threshold"
    return {
        "auc": both,
        "pr_auc": both,
        "sensitivity": "needs positives; every row is negative",
        "specificity": "needs negatives; every row is positive",
        "precision": "no row is called positive at this threshold",
        "f1": "no row is positive and none is called positive",
        "precision_class_average": uncalled,
        "recall_class_average": both,
    }
