"""Finished runs of more than two classes: read, checked, their macro AUC drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gastric_keras.comparison.finished_runs import (
    check_distinct,
    check_finished,
    check_same_test,
    read_test,
)
from gastric_keras.comparison.paths import Pair, PlacedRun, in_order
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import ClassScores
from gastric_keras.runs.scores import has_class_scores, read_class_scores
from gastric_keras.statistics.bootstrap import auc_draws
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import PooledDifference, pool_differences
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.support.errors import InputError, require


@dataclass(frozen=True)
class ClassRun(PlacedRun):
    """What a comparison needs of one run.

    Attributes:
        scores: of the run.
        probability: (n, classes) float64, in the order of ``rows``.
    """

    scores: ClassScores
    probability: np.ndarray

    @property
    def label(self) -> np.ndarray:
        """(n,) int64, in the order of ``rows``."""
        return np.array([row[-1] for row in self.rows], np.int64)

    @property
    def case_id(self) -> np.ndarray:
        """(n,) str, in the order of ``rows``."""
        return np.array([row[0] for row in self.rows])


def read_class_runs(folders: Sequence[Path]) -> list[ClassRun]:
    """Read finished runs of equal classes and one test split.

    Args:
        folders: of the runs.

    Returns:
        By network, subset, path (one stage first) and seed.

    Raises:
        InputError: no run, one that is not finished, of other classes or test rows, or
            of a place that another has, a probability of NaN, or a class with fewer
            than two test patches.
    """
    check_finished(folders)
    _check_classes(folders)
    runs = [_read_run(folder) for folder in folders]
    check_same_test(runs)
    counts = np.bincount(runs[0].label, minlength=len(runs[0].scores.classes))
    require(
        counts.min() >= 2,
        "The test split must have two or more patches of each class",
        "Make a target set with a larger test split.",
        patches=dict(zip(runs[0].scores.classes, counts.tolist(), strict=True)),
        run=str(runs[0].folder),
    )
    check_distinct(runs)
    return in_order(runs)


def _check_classes(folders: Sequence[Path]) -> None:
    two = [folder for folder in folders if not has_class_scores(RunDir(folder))]
    require(
        not two,
        "Runs must all be of two classes, or all of more",
        "Compare them by themselves.",
        of_two=list(map(str, two)),
        runs=len(folders),
    )
    first, *others = (read_class_scores(RunDir(folder)) for folder in folders)
    for folder, scores in zip(folders[1:], others, strict=True):
        is_same = (scores.classes, scores.ordered) == (first.classes, first.ordered)
        require(
            is_same,
            f"Runs must be of equal classes in one order, those of {folders[0]}: "
            f"{_spell(first)}",
            "Compare runs of one target set only.",
            run=str(folder),
            classes=_spell(scores),
        )


def _spell(scores: ClassScores) -> str:
    return ", ".join(scores.classes) + (" (ordered)" if scores.ordered else "")


def _read_run(folder: Path) -> ClassRun:
    scores = read_class_scores(RunDir(folder))
    config, test = read_test(folder, scores)
    reason = not_numbers(test.probability)
    if reason:
        raise InputError(
            f"Test probabilities must be numbers in every run, got {folder} "
            f"({reason}). Train it again, or leave it out and say so."
        )
    rows, probability = test.classes_by_key()
    return ClassRun(
        folder=folder, config=config, scores=scores, rows=rows, probability=probability
    )


def macro_draws(runs: Sequence[ClassRun], draws: Draws) -> np.ndarray:
    """Macro AUC of each run on the same draws of cases.

    Args:
        runs: of one test split.
        draws: how many, and from which seed.

    Returns:
        (runs, draws) float64, NaN where a draw lacks a class.
    """
    label, case_id = runs[0].label, runs[0].case_id
    probability = np.stack([run.probability for run in runs])
    # A seed draws the same cases for every class.
    by_class = [
        auc_draws((label == c).astype(np.int64), probability[..., c], case_id, draws)
        for c in range(probability.shape[-1])
    ]
    return np.asarray(np.mean(by_class, axis=0))


def macro_difference(
    runs: Sequence[ClassRun], drawn: np.ndarray, pairs: Sequence[Pair], draws: Draws
) -> PooledDifference:
    """Macro AUC of the other runs of pairs less that of the runs held against.

    Args:
        runs: of one test split.
        drawn: of :func:`macro_draws`.
        pairs: one or more.
        draws: that ``drawn`` is of.
    """
    one, two = [p.one for p in pairs], [p.two for p in pairs]
    areas = [run.scores.test.patch.scores["auc"].value for run in runs]
    value = np.array(areas, np.float64)
    label, case_id = runs[0].label, runs[0].case_id
    return pool_differences(
        value[two] - value[one],
        drawn[two] - drawn[one],
        setting=["/".join(p.setting) for p in pairs],
        replicate=[p.replicate for p in pairs],
        cases=min(np.unique(case_id[label == c]).size for c in np.unique(label)),
        base=one,
        draws=draws,
    )
