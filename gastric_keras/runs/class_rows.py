"""Scores and cases of more than two classes as rows for printing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.rows import CaseRow, ScoreRow
from gastric_keras.runs.score_shapes import ClassScores
from gastric_keras.statistics.class_cases import case_classes, class_counts, class_means
from gastric_keras.statistics.class_report import ClassUnitReport
from gastric_keras.statistics.scores import check_cases
from gastric_keras.statistics.words import SpelledScore, spell_score

#: Key in report.json -> name for a reader; the order of the tables.
WHOLE_NAMES = {
    "auc": "Macro AUC, each class against the rest",
    "pr_auc": "Macro PR-AUC (average precision)",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean recall)",
    "f1_macro": "Macro F1",
    "kappa_quadratic": "Kappa, quadratic weights",
    "brier": "Brier score, halved (0 is best)",
    "ece": "Calibration error of the call, ECE (0 is best)",
    "brier_calibrated": "Brier score, halved, after temperature scaling",
    "ece_calibrated": "Calibration error of the call, after temperature scaling",
}
#: Of one class against the rest: key -> title of the column.
CLASS_NAMES = {
    "auc": "AUC",
    "sensitivity": "Recall",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "ece": "ECE",
}


@dataclass(frozen=True)
class ClassRow:
    """One class of a table, or one group of patches.

    Attributes:
        name: of it.
        n: how many patches, or cases, are of it.
        cells: one a column.
        cases: of a group of patches; 0: of a class, not told.
    """

    name: str
    n: int
    cells: tuple[SpelledScore, ...]
    cases: int = 0


def whole_rows(unit: ClassUnitReport) -> list[ScoreRow]:
    """Rows of the scores over all classes, one cell each."""
    return [
        ScoreRow(name, (spell_score(unit.scores[key]),))
        for key, name in WHOLE_NAMES.items()
        if key in unit.scores
    ]


def class_rows(unit: ClassUnitReport) -> list[ClassRow]:
    """One row a class, cells as of ``CLASS_NAMES``."""
    return [
        ClassRow(name, n, tuple(spell_score(found[key]) for key in CLASS_NAMES))
        for (name, found), n in zip(unit.by_class.items(), unit.counts, strict=True)
    ]


def group_rows(scores: ClassScores) -> list[ClassRow]:
    """Rows of the subgroups of the test split, per patch: macro AUC and accuracy."""
    rows = []
    for name, splits in scores.subgroups.items():
        patch = splits.test.patch
        cells = tuple(spell_score(patch.scores[key]) for key in ("auc", "accuracy"))
        rows.append(ClassRow(name, patch.n, cells, splits.test.cases))
    return rows


def called_cases(predictions: Predictions, *, is_ordered: bool) -> list[CaseRow]:
    """One row a case: the wrong calls first, the farthest from the truth on top.

    Args:
        predictions: of one split.
        is_ordered: the classes are a ladder.

    Returns:
        Rows whose score is the mean probability of the true class.
    """
    classes = predictions.classes
    names, case = check_cases(predictions.case_id, predictions.label.size)
    truth = case_classes(predictions.label, case, len(classes), is_ordered=is_ordered)
    counts = class_counts(predictions.label, case, len(classes))
    mean = class_means(predictions.probability, case)
    rows = [
        CaseRow(
            case=str(name),
            truth=classes[true],
            call=classes[found.argmax()],
            patches=int(held.sum()),
            score=float(found[true]),
            is_right=bool(found.argmax() == true),
            is_mixed=bool((held > 0).sum() > 1),
        )
        for name, true, found, held in zip(names, truth, mean, counts, strict=True)
    ]
    return sorted(rows, key=lambda row: (row.is_right, row.score))


def class_units(
    predictions: Predictions, *, is_ordered: bool
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Unit -> label (n,), probability (n, classes) float64 and case (n,).

    Args:
        predictions: of one split.
        is_ordered: the classes are a ladder.
    """
    label, probability = predictions.label, predictions.probability.astype(np.float64)
    names, case = check_cases(predictions.case_id, label.size)
    classes = len(predictions.classes)
    return {
        "patch": (label, probability, predictions.case_id),
        "case": (
            case_classes(label, case, classes, is_ordered=is_ordered),
            class_means(probability, case),
            names,
        ),
    }
