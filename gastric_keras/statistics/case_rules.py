"""From the patches of a case, or of a slide, to its one score and its call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gastric_keras.records.cases import CaseRule
from gastric_keras.statistics.scores import check_cases, check_pairs
from gastric_keras.statistics.thresholds import best_threshold
from gastric_keras.support.errors import require

#: Rule -> what the score of a case is, for a reader.
RULES: dict[CaseRule, str] = {
    "mean": "mean of its patches",
    "maximum": "maximum of its patches",
    "top_mean": "mean of its {top} highest patches",
    "any_of": "share of its patches that are called positive",
}


def rule_words(rule: CaseRule, top: int) -> str:
    """What the score of a case is, in words."""
    return RULES[rule].format(top=top)


@dataclass(frozen=True)
class CaseCalls:
    """How cases are called: fixed on the validation split, carried by the export.

    Attributes:
        rule: that is used unless another one is asked for.
        top: how many patches ``top_mean`` takes.
        thresholds: rule -> a case is called positive where its score is at or above
            it; a rule that validation could not choose one for is not there.
        validation_cases: that chose them.
    """

    rule: CaseRule
    top: int
    thresholds: dict[str, float]
    validation_cases: int

    def __post_init__(self) -> None:
        require(self.top >= 1, "top must be at least 1", "Export again.", top=self.top)
        bad = {
            rule: threshold
            for rule, threshold in self.thresholds.items()
            if rule not in RULES or not 0 <= threshold <= 1
        }
        require(
            not bad,
            f"thresholds must be in [0, 1], for {', '.join(RULES)}",
            "Export the model again with --force.",
            thresholds=bad,
        )


def case_scores(
    score: np.ndarray, case: np.ndarray, *, rule: CaseRule, top: int, threshold: float
) -> np.ndarray:
    """One score a case.

    Args:
        score: (n,) float in [0, 1] of the patches.
        case: (n,) int, the case of each, 0 to m - 1, all present.
        rule: ``mean``; ``maximum``; ``top_mean``, the mean of the ``top`` highest, of
            all where there are fewer; ``any_of``, the share at or above ``threshold``.
        top: see there.
        threshold: of a patch.

    Returns:
        (m,) float64 in [0, 1].

    Example:
        >>> score, case = np.array([0.1, 0.9, 0.6, 0.2]), np.array([0, 0, 0, 1])
        >>> case_scores(score, case, rule="top_mean", top=2, threshold=0.5).tolist()
        [0.75, 0.2]
    """
    score = np.asarray(score, np.float64)
    counts = np.bincount(case)
    if rule == "any_of":
        score = (score >= threshold).astype(np.float64)
    if rule in ("mean", "any_of"):
        return (np.bincount(case, weights=score) / counts).clip(0, 1)
    # Case after case, the highest score of each first.
    order = np.lexsort((-score, case))
    first = np.cumsum(counts) - counts
    rank = np.arange(len(score)) - first[case[order]]
    taken = order[rank < (1 if rule == "maximum" else top)]
    total = np.bincount(case[taken], weights=score[taken])
    return (total / np.bincount(case[taken])).clip(0, 1)


def fit_case_calls(
    label: Any,
    score: Any,
    case_id: Any,
    *,
    rule: CaseRule,
    top: int,
    threshold: float,
) -> CaseCalls:
    """Choose the threshold of each rule on the validation split.

    That of ``mean`` is the threshold of the patches, as evaluation calls cases. The
    others are of the highest Youden index of the cases, see ``best_threshold``; they
    are left out where all cases are of one class, or scores are not numbers.

    Args:
        label: (n,) 0 or 1 of the patches; a case with any 1 is positive.
        score: (n,) float, probability of the positive class.
        case_id: (n,) str.
        rule: the one to use.
        top: how many patches ``top_mean`` takes.
        threshold: of a patch, chosen on the same split.
    """
    label, names = np.asarray(label), np.unique(case_id)
    calls = CaseCalls(rule, top, {"mean": threshold}, len(names))
    if not np.isfinite(np.asarray(score, np.float64)).all():
        return calls
    label, score = check_pairs(label, score)
    names, case = check_cases(case_id, label.size)
    truth = (np.bincount(case, weights=label) > 0).astype(np.int64)
    if truth.min() == truth.max():
        return calls
    chosen = {
        other: best_threshold(
            truth,
            case_scores(score, case, rule=other, top=top, threshold=threshold),
        )
        for other in RULES
        if other != "mean"
    }
    return CaseCalls(rule, top, calls.thresholds | chosen, len(names))
