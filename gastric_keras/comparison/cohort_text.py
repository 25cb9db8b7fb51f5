"""External cohorts of a comparison in words and tables."""

from __future__ import annotations

from collections.abc import Sequence

from gastric_keras.comparison.cells import (
    COLUMNS,
    difference_cells,
    spell_mean,
    spell_names,
)
from gastric_keras.comparison.results import CohortCell, CohortResult
from gastric_keras.statistics.words import spell_change
from gastric_keras.support.text import markdown_name, text_table


def spell_cohorts(cohorts: Sequence[CohortResult]) -> list[str]:
    """A heading, tables and differences for each cohort.

    Args:
        cohorts: of a comparison.
    """
    return [part for cohort in cohorts for part in _spell(cohort)]


def _spell(cohort: CohortResult) -> list[str]:
    leaks = ""
    if cohort.leaks:
        leaks = (
            f" Allowed in the config: {cohort.leaks} cases or pictures of it are in "
            "the sets of the runs, so its scores may be too good."
        )
    header = ["network", "subset", "path", "seeds", *cohort.cells[0].scores, "by case"]
    parts = [
        f"## External cohort {markdown_name(cohort.name)}",
        f"{cohort.patches} patches of {cohort.cases} cases that took no part in "
        "training, choosing or testing, scored per patch at each run's own validation "
        "threshold. The change of AUC is against the internal test split; with one "
        f"seed, its interval by case stands behind it.{leaks}",
        text_table(header, [_row(cell) for cell in cohort.cells]),
    ]
    if cohort.differences:
        rows = [
            [*spell_names(d.backbone, d.subset, d.path), *difference_cells(d)]
            for d in cohort.differences
        ]
        parts += [
            "Differences in AUC on this cohort, two stages − one stage; p is adjusted "
            "over this table.",
            text_table(["network", "subset", "mid-level set", *COLUMNS], rows),
        ]
    return parts


def _row(cell: CohortCell) -> list[str]:
    change = "" if cell.change is None else spell_change(cell.change).beside
    return [
        *spell_names(cell.backbone, cell.subset, cell.path),
        str(len(cell.runs)),
        *map(spell_mean, cell.scores.values()),
        change,
    ]
