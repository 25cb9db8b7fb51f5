"""What compared runs make of the external cohorts that they were scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gastric_keras.comparison.contrasts import draw_runs, setting_differences
from gastric_keras.comparison.finished_runs import FinishedRun
from gastric_keras.comparison.paths import find_pairs
from gastric_keras.comparison.results import CohortCell, CohortResult
from gastric_keras.runs.cohorts import Cohort
from gastric_keras.statistics.draws import Draws


def compare_cohorts(
    runs: Sequence[FinishedRun], draws: Draws
) -> tuple[CohortResult, ...]:
    """One result for each set that runs were scored on, in the order of their names.

    Two cohorts of one name and different contents are two sets.

    Args:
        runs: of :func:`gastric_keras.comparison.finished_runs.read_runs`.
        draws: of the cases of a cohort, for the differences.
    """
    groups: dict[tuple[str, str], list[tuple[FinishedRun, Cohort]]] = {}
    for run in runs:
        for cohort in run.cohorts:
            key = cohort.scores.name, cohort.scores.manifest_sha256
            groups.setdefault(key, []).append((run, cohort))
    return tuple(_result(*key, found, draws) for key, found in sorted(groups.items()))


def _result(
    name: str,
    manifest_sha256: str,
    found: Sequence[tuple[FinishedRun, Cohort]],
    draws: Draws,
) -> CohortResult:
    cells: dict[tuple[str, str, str], list[tuple[FinishedRun, Cohort]]] = {}
    for run, cohort in found:
        cells.setdefault((*run.cell, run.path), []).append((run, cohort))
    seen = [_in_place_of_test(run, cohort) for run, cohort in found]
    has_areas = all(
        run.scores.test.patch.scores["auc"].value is not None for run in seen
    )
    pairs = find_pairs(seen) if has_areas else []
    counts = found[0][1].scores
    return CohortResult(
        name=name,
        manifest_sha256=manifest_sha256,
        patches=counts.report.n,
        cases=counts.report.cases,
        leaks=sum(each.count for each in counts.shared),
        cells=tuple(_cell(*key, group) for key, group in cells.items()),
        differences=setting_differences(draw_runs(seen, draws), pairs) if pairs else (),
    )


def _in_place_of_test(run: FinishedRun, cohort: Cohort) -> FinishedRun:
    """The run as if the cohort were its test split."""
    rows, label, score = cohort.predictions.rows_by_key(run.scores.positive)
    scores = replace(run.scores, test=cohort.scores.report)
    return replace(run, scores=scores, rows=rows, label=label, score=score)


def _cell(
    backbone: str,
    subset: str,
    path: str,
    found: Sequence[tuple[FinishedRun, Cohort]],
) -> CohortCell:
    reports = [cohort.scores.report.patch for _, cohort in found]
    calls = [report.at_threshold.scores for report in reports]
    changes = [cohort.scores.changes["patch"]["auc"] for _, cohort in found]
    return CohortCell(
        backbone,
        subset,
        path,
        runs=tuple(str(run.folder) for run, _ in found),
        scores={
            "AUC": tuple(report.scores["auc"].value for report in reports),
            "sensitivity": tuple(call["sensitivity"].value for call in calls),
            "specificity": tuple(call["specificity"].value for call in calls),
            "change of AUC": tuple(change.value for change in changes),
        },
        change=changes[0] if len(changes) == 1 else None,
    )
