"""The model card of an export: a page of Markdown, from the files of the run."""

from __future__ import annotations

from collections.abc import Sequence

from gastric_keras.config.backbones import find_backbone
from gastric_keras.runs.cohort_shapes import CohortScores
from gastric_keras.runs.rows import score_rows
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.runs.sets import set_card
from gastric_keras.serving.metadata import ExportMetadata
from gastric_keras.statistics.case_rules import rule_words
from gastric_keras.statistics.words import spell_change, spell_score
from gastric_keras.support.pages import render


def render_model_card(
    metadata: ExportMetadata,
    scores: RunScores,
    cohorts: Sequence[CohortScores] = (),
) -> str:
    """The text of ``model_card.md``.

    Args:
        metadata: that of the export.
        scores: of the run.
        cohorts: external ones that the run was scored on.
    """
    calls = metadata.case_calls
    threshold = calls.thresholds.get(calls.rule)
    titles = {"mid": "Mid-level set, t=1", "target": "Target set, t=2"}
    return render(
        "gastric_keras.serving",
        "model_card.md",
        **vars(metadata),
        network=find_backbone(metadata.backbone).title,
        subset=scores.subset,
        labels=scores.labels,
        confidence=scores.test.confidence,
        case_rule=rule_words(calls.rule, calls.top),
        case_threshold=(
            "a threshold that validation could not choose"
            if threshold is None
            else f"{threshold:.4f}"
        ),
        sets=[
            set_card(titles[stage], made_of.folder, made_of.manifest_sha256)
            for stage, made_of in metadata.records.items()
        ],
        units=[
            {
                "name": name,
                "n": unit.n,
                "positives": unit.positives,
                "rows": score_rows(unit),
            }
            for name, unit in (("patch", scores.test.patch), ("case", scores.test.case))
        ],
        cohorts=[_cohort(cohort) for cohort in cohorts],
    )


def _cohort(cohort: CohortScores) -> dict[str, object]:
    """One cohort, by the names that the template has."""
    return {
        "scores": cohort,
        "rows": [
            {
                "unit": name,
                "auc": spell_score(unit.scores["auc"]),
                "change": spell_change(cohort.changes[name]["auc"]),
                "calls": [
                    spell_score(unit.at_threshold.scores[key])
                    for key in ("sensitivity", "specificity")
                ],
            }
            for name, unit in (
                ("patch", cohort.report.patch),
                ("case", cohort.report.case),
            )
        ],
    }
