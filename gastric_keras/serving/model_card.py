"""The model card of an export: a page of Markdown, from the files of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gastric_keras.config.backbones import find_backbone
from gastric_keras.runs.class_rows import CLASS_NAMES, class_rows, whole_rows
from gastric_keras.runs.cohort_shapes import ClassCohortScores, CohortScores
from gastric_keras.runs.rows import score_rows
from gastric_keras.runs.score_shapes import ClassScores, RunScores
from gastric_keras.runs.sets import set_card
from gastric_keras.serving.metadata import ExportMetadata
from gastric_keras.statistics.case_rules import CaseCalls, rule_words
from gastric_keras.statistics.class_report import ClassReport
from gastric_keras.statistics.words import spell_change, spell_score
from gastric_keras.support.pages import render


def render_model_card(
    metadata: ExportMetadata,
    scores: RunScores | ClassScores,
    cohorts: Sequence[CohortScores | ClassCohortScores] = (),
) -> str:
    """The text of ``model_card.md``.

    Args:
        metadata: that of the export.
        scores: of the run.
        cohorts: external ones that the run was scored on.
    """
    titles = {"mid": "Mid-level set, t=1", "target": "Target set, t=2"}
    return render(
        "gastric_keras.serving",
        "model_card.md",
        **vars(metadata),
        network=find_backbone(metadata.backbone).title,
        subset=scores.subset,
        labels=scores.labels,
        confidence=scores.test.confidence,
        **_case_words(metadata.case_calls),
        is_ordered=isinstance(scores, ClassScores) and scores.ordered,
        of_one_class=list(CLASS_NAMES.values()),
        sets=[
            set_card(titles[stage], made_of.folder, made_of.manifest_sha256)
            for stage, made_of in metadata.records.items()
        ],
        units=_units(scores),
        cohorts=[_cohort(cohort) for cohort in cohorts],
    )


def _case_words(calls: CaseCalls | None) -> dict[str, Any]:
    if calls is None:
        return {}
    threshold = calls.thresholds.get(calls.rule)
    return {
        "case_rule": rule_words(calls.rule, calls.top),
        "case_threshold": (
            "a threshold that validation could not choose"
            if threshold is None
            else f"{threshold:.4f}"
        ),
    }


def _units(scores: RunScores | ClassScores) -> list[dict[str, object]]:
    """The scores of patches and of cases, by the names that the template has."""
    test = scores.test
    if isinstance(test, ClassReport):
        return [
            {
                "name": name,
                "n": each.n,
                "rows": whole_rows(each),
                "classes": class_rows(each),
            }
            for name, each in (("patch", test.patch), ("case", test.case))
        ]
    return [
        {
            "name": name,
            "n": unit.n,
            "positives": unit.positives,
            "rows": score_rows(unit),
        }
        for name, unit in (("patch", test.patch), ("case", test.case))
    ]


def _cohort(cohort: CohortScores | ClassCohortScores) -> dict[str, object]:
    """One cohort, by the names that the template has."""
    report = cohort.report
    if isinstance(report, ClassReport):
        keys = "accuracy", "balanced_accuracy"
        units = {"patch": report.patch.scores, "case": report.case.scores}
    else:
        keys = "sensitivity", "specificity"
        units = {
            name: unit.scores | unit.at_threshold.scores
            for name, unit in (("patch", report.patch), ("case", report.case))
        }
    return {
        "scores": cohort,
        "rows": [
            {
                "unit": name,
                "auc": spell_score(scores["auc"]),
                "change": spell_change(cohort.changes[name]["auc"]),
                "calls": [spell_score(scores[key]) for key in keys],
            }
            for name, scores in units.items()
        ],
    }
