"""External cohorts on the page: scores, what they lost, and how far they drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gastric_keras.figures.drift import Points, plot_appearance, plot_score_drift
from gastric_keras.report.pictures import (
    Inline,
    area_pictures,
    confusion_pictures,
    inline,
    reliability_picture,
)
from gastric_keras.report.units import UNITS, Unit, units_of
from gastric_keras.runs.cohort_shapes import (
    ClassCohortScores,
    CohortScores,
    SetAppearance,
)
from gastric_keras.runs.cohorts import Cohort
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.rows import CALL_NAMES, RANKING_NAMES, CaseRow, case_rows
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.statistics.drift import Distance, ScoreDrift, Shift, Spread
from gastric_keras.statistics.words import SpelledScore, spell_change, spell_score

#: Scores whose change is shown, in order: without those that a drop hides behind.
CHANGED = (
    "auc",
    "pr_auc",
    "sensitivity",
    "specificity",
    "accuracy",
    "brier_calibrated",
    "ece_calibrated",
)
#: Measure -> its name for a reader, with the unit.
MEASURE_NAMES = {
    "hematoxylin_mean": "Hematoxylin, mean (optical density)",
    "hematoxylin_deviation": "Hematoxylin, deviation within a patch",
    "eosin_mean": "Eosin, mean (optical density)",
    "eosin_deviation": "Eosin, deviation within a patch",
    "tissue_share": "Share of tissue",
    "patch_width_um": "Width of tissue in a patch, µm",
}


@dataclass(frozen=True)
class ChangeRow:
    """A score in the internal test and in a cohort: one cell each, and the change."""

    name: str
    cells: tuple[SpelledScore, ...]


@dataclass(frozen=True)
class DriftRow:
    """A distribution in the internal test and in a cohort, and how far apart.

    Attributes:
        name: what is distributed.
        cells: internal test, cohort, then distances.
    """

    name: str
    cells: tuple[SpelledScore, ...]


@dataclass(frozen=True)
class CohortSection:
    """What the page shows of one cohort.

    Attributes:
        cohort: its scores.
        scores: those of the run, with the cohort in the place of the test split.
        units: per patch and per case.
        changes: unit -> rows.
        curves: ROC and precision-recall, then confusion.
        reliability: per patch.
        drift: of the scores, one row a class.
        shifts: of stain and scale, one row a measure.
        drifted: pictures of both.
        cases: of the cohort.
        is_multiclass: whether there are more than two classes.
    """

    cohort: CohortScores
    scores: RunScores
    units: list[Unit]
    changes: dict[str, list[ChangeRow]]
    curves: list[Inline]
    reliability: Inline
    drift: list[DriftRow]
    shifts: list[DriftRow]
    drifted: list[Inline]
    cases: list[CaseRow]
    is_multiclass: bool = False


def cohort_section(
    cohort: Cohort[CohortScores],
    scores: RunScores,
    validation: Predictions,
    test: Predictions,
) -> CohortSection:
    """Everything that the page shows of one cohort.

    Args:
        cohort: of the run.
        scores: of the run.
        validation: predictions of the run's validation split.
        test: predictions of its test split.
    """
    found, name = cohort.scores, f"cohort {cohort.scores.name}"
    seen = replace(scores, test=found.report)
    return CohortSection(
        cohort=found,
        scores=seen,
        units=units_of(seen, validation, cohort.predictions),
        changes={unit: _change_rows(scores, found, unit) for unit in UNITS},
        curves=area_pictures(seen, cohort.predictions, where=name)
        + confusion_pictures(seen, where=name),
        reliability=reliability_picture(seen, cohort.predictions, where=name),
        drift=drift_rows(found.drift),
        shifts=shift_rows(found.shifts),
        drifted=drift_pictures(cohort, test, found.positive),
        cases=case_rows(cohort.predictions, scores.positive, scores.threshold),
    )


def _change_rows(scores: RunScores, found: CohortScores, unit: str) -> list[ChangeRow]:
    names = RANKING_NAMES | CALL_NAMES
    rows = []
    for key in CHANGED:
        cells = []
        for report in (scores.test, found.report):
            part = report.patch if unit == "patch" else report.case
            values = part.scores | part.at_threshold.scores
            cells.append(spell_score(values[key]))
        change = spell_change(found.changes[unit][key])
        rows.append(ChangeRow(names[key], (*cells, change)))
    return rows


def drift_rows(drift: Sequence[ScoreDrift]) -> list[DriftRow]:
    """Rows of the scores, one a class: internal test, cohort, two distances."""
    return [
        DriftRow(
            f"Patches that are {each.label}",
            (
                _median(each.before),
                _median(each.after),
                _distance(each.ks),
                _distance(each.wasserstein),
            ),
        )
        for each in drift
    ]


def _median(spread: Spread) -> SpelledScore:
    low, _, median, _, high = spread.quantiles
    return SpelledScore(
        f"{median:.3f}",
        f"{low:.3f}–{high:.3f}",
        f"{spread.n:,} patches of {spread.cases:,} cases",
    )


def _distance(distance: Distance) -> SpelledScore:
    if distance.by_chance is None:
        return SpelledScore(f"{distance.value:.3f}", note="too few cases to deal")
    mark = "beyond chance" if distance.value > distance.by_chance else "within chance"
    return SpelledScore(
        f"{distance.value:.3f}", note=f"{mark}: {distance.by_chance:.3f}"
    )


def shift_rows(shifts: Sequence[Shift]) -> list[DriftRow]:
    """Rows of stain and scale, one a measure: internal test, cohort, difference."""
    rows = []
    for each in shifts:
        cells = [
            SpelledScore(f"{spread.mean:.3g}", f"± {round(spread.deviation, 9):.2g}")
            for spread in (each.before, each.after)
        ]
        smd = SpelledScore("—", note="nothing varies, or one case only")
        if each.smd is not None:
            smd = SpelledScore(
                f"{each.smd:+.2f}", f"{each.low:+.2f} to {each.high:+.2f}"
            )
        rows.append(DriftRow(MEASURE_NAMES.get(each.name, each.name), (*cells, smd)))
    return rows


def drift_pictures(
    cohort: Cohort[CohortScores] | Cohort[ClassCohortScores],
    test: Predictions,
    positive: str | None,
) -> list[Inline]:
    """Distributions of the scores, and the stains of the cases.

    Args:
        cohort: of the run.
        test: predictions of the run's test split.
        positive: the class whose probability is drawn; None: the true class of each.
    """
    found = cohort.scores
    sides = {"internal test": test, f"cohort {found.name}": cohort.predictions}
    panels = {}
    for label, name in enumerate(test.classes):
        index = label if positive is None else test.classes.index(positive)
        panels[name] = {
            side: part.probability[part.label == label, index]
            for side, part in sides.items()
        }
    pictures = []
    if found.drift:
        shown = positive or "the true class"
        png = plot_score_drift(None, panels=panels, positive=shown)
        pictures.append(
            inline(
                png,
                "Share of patches below each probability, by true class: the internal "
                f"test against cohort {found.name}. "
                + " ".join(
                    f"{each.label}: distance {each.ks.value:.2f} (KS)."
                    for each in found.drift
                ),
            )
        )
    points = _stains((cohort.internal, cohort.appearance), list(sides))
    if all(each.x.size for each in points):
        pictures.append(
            inline(
                plot_appearance(None, groups=points),
                "Mean hematoxylin and eosin of each case: the internal test against "
                f"cohort {found.name}.",
            )
        )
    return pictures


def _stains(sets: Sequence[SetAppearance], names: Sequence[str]) -> list[Points]:
    groups = []
    for name, found in zip(names, sets, strict=True):
        both = [
            (case.measures["hematoxylin_mean"], case.measures["eosin_mean"])
            for case in found.cases
            if "hematoxylin_mean" in case.measures
        ]
        x, y = np.array(both, float).reshape(-1, 2).T
        groups.append(Points(name, x, y))
    return groups
