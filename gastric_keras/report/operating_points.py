"""Thresholds with a promise, chosen on validation, and what they keep on test."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.rows import positives_of, spell_score
from gastric_keras.statistics.bootstrap import cluster_bootstrap
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.scores import check_pairs
from gastric_keras.statistics.split_report import case_means

#: What validation must show at least.
PROMISES = (0.90, 0.95, 0.99)
#: Columns of the table, in order.
COLUMNS = ("sensitivity", "specificity", "precision")

_Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def threshold_for(label: Any, score: Any, *, kept: str, least: float) -> float:
    """The threshold that keeps a promise and gives away as little as it can.

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


def operating_points(
    validation: Predictions,
    test: Predictions,
    positive: str,
    *,
    unit: str,
    draws: Draws,
) -> list[dict[str, Any]]:
    """One row a promise: the threshold from validation, the scores on test.

    Args:
        validation: chooses the thresholds.
        test: is scored.
        positive: name of the positive class.
        unit: ``patch`` or ``case``: of the thresholds as of the scores.
        draws: how many, from which seed, and the confidence of the intervals.

    Returns:
        promise, threshold, and cells as of ``tables.spell_score`` for COLUMNS; none
        where a split lacks a class.
    """
    parts = [_rows(split, positive, unit) for split in (validation, test)]
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
            rows.append(
                {
                    "promise": f"{kept} ≥ {least:.2f}",
                    "threshold": threshold,
                    "cells": [spell_score(asdict(scores[name])) for name in COLUMNS],
                }
            )
    return rows


def _rows(split: Predictions, positive: str, unit: str) -> _Rows:
    """Label, score and case of each patch, or of each case."""
    label, score = positives_of(split, positive)
    if unit == "patch":
        return label, score, split.case_id
    names, truth, mean = case_means(label, score, split.case_id)
    return truth, mean, names
