"""External cohorts on the page of a run of more than two classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gastric_keras.report.classes import class_results
from gastric_keras.report.cohorts import (
    ChangeRow,
    DriftRow,
    drift_pictures,
    drift_rows,
    shift_rows,
)
from gastric_keras.report.pictures import Inline
from gastric_keras.runs.class_rows import WHOLE_NAMES
from gastric_keras.runs.cohort_shapes import ClassCohortScores
from gastric_keras.runs.cohorts import Cohort
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.score_shapes import ClassScores
from gastric_keras.statistics.words import spell_change, spell_score


@dataclass(frozen=True)
class ClassCohortSection:
    """What the page shows of one cohort, by the names of ``CohortSection``.

    Attributes:
        cohort: its scores.
        scores: those of the run, with the cohort in the place of the test split.
        results: of the cohort, by the names of ``class_results``.
        changes: unit -> rows, those over all classes, then the AUC of each.
        drift: of the scores, one row a class.
        shifts: of stain and scale, one row a measure.
        drifted: pictures of both.
        is_multiclass: always.
    """

    cohort: ClassCohortScores
    scores: ClassScores
    results: dict[str, object]
    changes: dict[str, list[ChangeRow]]
    drift: list[DriftRow]
    shifts: list[DriftRow]
    drifted: list[Inline]
    is_multiclass: bool = True


def class_cohort_section(
    cohort: Cohort[ClassCohortScores], scores: ClassScores, test: Predictions
) -> ClassCohortSection:
    """Everything that the page shows of one cohort.

    Args:
        cohort: of the run.
        scores: of the run.
        test: predictions of its test split.
    """
    found = cohort.scores
    seen = replace(scores, test=found.report)
    return ClassCohortSection(
        cohort=found,
        scores=seen,
        results=class_results(seen, cohort.predictions, of=f" of cohort {found.name}"),
        changes={unit: _change_rows(scores, found, unit) for unit in found.changes},
        drift=drift_rows(found.drift),
        shifts=shift_rows(found.shifts),
        drifted=drift_pictures(cohort, test, None),
    )


def _change_rows(
    scores: ClassScores, found: ClassCohortScores, unit: str
) -> list[ChangeRow]:
    sides = [
        report.patch if unit == "patch" else report.case
        for report in (scores.test, found.report)
    ]
    rows = [
        ChangeRow(
            WHOLE_NAMES[key],
            (*(spell_score(each.scores[key]) for each in sides), spell_change(change)),
        )
        for key, change in found.changes[unit].items()
    ]
    for name, change in found.class_changes[unit].items():
        cells = (spell_score(each.by_class[name]["auc"]) for each in sides)
        rows.append(ChangeRow(f"AUC, {name}", (*cells, spell_change(change))))
    return rows
