"""What the page shows of a run of more than two classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gastric_keras.figures import plots as figures
from gastric_keras.report.pictures import Inline, inline
from gastric_keras.runs.class_rows import (
    CLASS_NAMES,
    ClassRow,
    called_cases,
    class_rows,
    class_units,
    group_rows,
    whole_rows,
)
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.rows import ScoreRow
from gastric_keras.runs.score_shapes import ClassScores
from gastric_keras.statistics.calibration import apply_temperature
from gastric_keras.statistics.class_report import ClassUnitReport
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.statistics.words import SpelledScore, spell_score


@dataclass(frozen=True)
class ClassUnit:
    """Scores of the test patches, or of their cases.

    Attributes:
        name: patch or case.
        n: how many.
        auc: macro, in words.
        rows: of the table over all classes.
        classes: of the table by class.
    """

    name: str
    n: int
    auc: SpelledScore
    rows: list[ScoreRow]
    classes: list[ClassRow]


def class_results(
    scores: ClassScores, test: Predictions, *, of: str = ""
) -> dict[str, object]:
    """What the test split says, by the names of the template.

    Args:
        scores: of the run.
        test: predictions of the test split.
        of: of another set in its place, such as `` of cohort north``, for captions.
    """
    reports = {"patch": scores.test.patch, "case": scores.test.case}
    is_sound = not_numbers(test.probability) is None
    return {
        "units": [
            ClassUnit(
                name=name,
                n=unit.n,
                auc=spell_score(unit.scores["auc"]),
                rows=whole_rows(unit),
                classes=class_rows(unit),
            )
            for name, unit in reports.items()
        ],
        "class_columns": list(CLASS_NAMES.values()),
        "balanced": spell_score(scores.test.patch.scores["balanced_accuracy"]),
        "has_points": False,
        "curves": _pictures(scores, test, reports, of) if is_sound else [],
        "reliability": _reliability(scores, test, of),
        "subgroups": group_rows(scores),
        "cases": called_cases(test, is_ordered=scores.ordered),
    }


def _pictures(
    scores: ClassScores,
    test: Predictions,
    reports: dict[str, ClassUnitReport],
    of: str,
) -> list[Inline]:
    """ROC curves of each class against the rest, and the confusion, of each unit."""
    units = class_units(test, is_ordered=scores.ordered)
    pictures = []
    for unit, (label, probability, _) in units.items():
        curves = []
        for index, (name, found) in enumerate(reports[unit].by_class.items()):
            area = found["auc"]
            if area.value is not None:
                ends = (area.value, area.low, area.high)
                mine = (label == index).astype(np.int64)
                # A class that has no curve takes nobody's color.
                curve = figures.Curve(
                    name, mine, probability[:, index], ends, style=index
                )
                curves.append(curve)
        if curves:
            spelled = ", ".join(f"{c.name} {c.area[0]:.3f}" for c in curves)
            pictures.append(
                inline(
                    figures.plot_roc(
                        None,
                        curves=curves,
                        title=f"Each class against the rest, {unit}{of}",
                    ),
                    f"ROC curves per {unit} of each class against the rest{of}. AUC: "
                    f"{spelled}.",
                )
            )
    return pictures + [
        _confusion(unit, scores, found, of) for unit, found in reports.items()
    ]


def _confusion(
    unit: str, scores: ClassScores, found: ClassUnitReport, of: str
) -> Inline:
    right = sum(row[i] for i, row in enumerate(found.confusion))
    rows = "; ".join(
        f"{name}: {', '.join(map(str, row))}"
        for name, row in zip(scores.classes, found.confusion, strict=True)
    )
    return inline(
        figures.plot_confusion(
            None,
            confusion=found.confusion,
            classes=scores.classes,
            title=f"Confusion per {unit}{of}",
        ),
        f"Confusion per {unit}{of}: {right} of {found.n} called right. Rows by true "
        f"class, columns in the same order: {rows}.",
    )


def _reliability(scores: ClassScores, test: Predictions, of: str) -> Inline:
    probability = test.probability.astype(np.float64)
    if not_numbers(probability):
        probability = np.full_like(probability, 1 / len(scores.classes))
    after = apply_temperature(probability, scores.temperature)
    errors = scores.test.patch.scores
    before, scaled = (spell_score(errors[k]).value for k in ("ece", "ece_calibrated"))
    return inline(
        figures.plot_reliability(
            None,
            label=(probability.argmax(axis=1) == test.label).astype(np.int64),
            scores={
                "as the network gives it": probability.max(axis=1),
                "after scaling": after.max(axis=1),
            },
            title=f"Reliability of the call, per patch{of}",
            share="share of right calls",
            given="probability of the called class",
        ),
        f"Reliability per patch{of}: share of right calls against the probability of "
        f"the called class in ten bins; calibration error {before} before and {scaled} "
        f"after scaling by the temperature {scores.temperature:.2f}.",
    )
