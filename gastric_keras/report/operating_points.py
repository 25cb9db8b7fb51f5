"""Thresholds with a promise, chosen on validation, and what they keep on test."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.runs.predictions import Predictions
from gastric_keras.statistics.bootstrap import cluster_bootstrap
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.thresholds import threshold_for
from gastric_keras.statistics.words import SpelledScore, spell_score

#: What validation must show at least.
PROMISES = (0.90, 0.95, 0.99)
#: Columns of the table, in order.
COLUMNS = ("sensitivity", "specificity", "precision")


@dataclass(frozen=True)
class PromiseRow:
    """A promise, and what is left of it.

    Attributes:
        promise: what validation shows at the threshold, in words.
        threshold: chosen there.
        cells: scores of the test split at that threshold, as of ``COLUMNS``.
    """

    promise: str
    threshold: float
    cells: tuple[SpelledScore, ...]


def operating_points(
    validation: Predictions,
    test: Predictions,
    positive: str,
    *,
    unit: str,
    draws: Draws,
) -> list[PromiseRow]:
    """One row a promise: the threshold from validation, the scores on test.

    Args:
        validation: chooses the thresholds.
        test: is scored.
        positive: name of the positive class.
        unit: ``patch`` or ``case``: of the thresholds as of the scores.
        draws: how many, from which seed, and the confidence of the intervals.

    Returns:
        The rows; none where a split lacks a class.
    """
    parts = [split.units(positive, unit) for split in (validation, test)]
    (label, score, _), (test_label, test_score, test_case) = parts
    if any(one.min() == one.max() for one in (label, test_label)):
        return []
    rows = []
    for kept in ("sensitivity", "specificity"):
        for least in PROMISES:
            threshold = threshold_for(label, score, kept=kept, least=least)
            scores = cluster_bootstrap(
                test_label,
                test_score,
                test_case,
                threshold=threshold,
                draws=draws,
            )
            cells = tuple(spell_score(scores[name]) for name in COLUMNS)
            rows.append(PromiseRow(f"{kept} ≥ {least:.2f}", threshold, cells))
    return rows
