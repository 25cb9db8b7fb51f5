"""The folds of a run of more than two classes, pooled and scored out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.fold_runs import FoldRun, made_of
from gastric_keras.evaluation.scoring import draws_of, scaled
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
    cases = [scores.train_cases for scores in found if scores.train_cases is not None]
    return replace(
        found[0],
        name=config.name,
        labels_per_class=fmean(s.labels_per_class or 0.0 for s in found),
        train_cases=round(fmean(cases)) if cases else None,
        temperature=fmean(s.temperature for s in found),
        unfitted="; ".join(s.unfitted for s in found if s.unfitted) or None,
        validation=whole.validation,
        test=whole.test,
        subgroups=groups,
        fold=None,
        cross_validation=made_of(runs),
    )


def _report(
    config: ExperimentConfig,
    runs: Sequence[FoldRun],
    joined: Predictions,
    split: str,
    pattern: str,
) -> ClassReport:
    calibrated = np.concatenate(
        [scaled(run.predictions[split], run.scores.temperature or 1.0) for run in runs]
    )
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
