"""The folds of a run of more than two classes, pooled and scored out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.fold_runs import (
    FoldRun,
    join_scaled,
    made_of,
    pool_settings,
)
from gastric_keras.evaluation.scoring import draws_of
from gastric_keras.runs.predictions import Predictions, matching_rows
from gastric_keras.runs.score_shapes import ClassScores, ClassSplitReports
from gastric_keras.statistics.class_report import ClassReport, class_report


def pool_classes(
    config: ExperimentConfig,
    runs: Sequence[FoldRun],
    predictions: Mapping[str, Predictions],
) -> ClassScores:
    """The scores of the pooled run; each patch scaled as its own fold does.

    Args:
        config: of the pooled run.
        runs: of all folds, in order.
        predictions: split -> those of all folds, joined.
    """
    found = [run.scores for run in runs if isinstance(run.scores, ClassScores)]
    groups = {
        name: ClassSplitReports(
            _report(config, runs, predictions["validation"], "validation", pattern),
            _report(config, runs, predictions["test"], "test", pattern),
        )
        for name, pattern in {"": "", **config.evaluate.subgroups}.items()
    }
    whole = groups.pop("")
    return replace(
        pool_settings(found, config.name),
        validation=whole.validation,
        test=whole.test,
        subgroups=groups,
        cross_validation=made_of(runs),
    )


def _report(
    config: ExperimentConfig,
    runs: Sequence[FoldRun],
    joined: Predictions,
    split: str,
    pattern: str,
) -> ClassReport:
    calibrated = join_scaled(runs, split)
    rows = matching_rows(joined, pattern)
    return class_report(
        joined.label[rows],
        joined.probability[rows],
        joined.case_id[rows],
        classes=joined.classes,
        is_ordered=config.target.ordered,
        calibrated=calibrated[rows],
        draws=draws_of(config),
    )
