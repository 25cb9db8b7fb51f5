"""Predictions of more than two classes to scores; calls by the highest probability."""

from __future__ import annotations

from functools import partial

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.scoring import (
    draws_of,
    scaled,
    trained,
    why_unfitted,
)
from gastric_keras.runs.predictions import Predictions, select
from gastric_keras.runs.score_shapes import ClassScores, ClassSplitReports
from gastric_keras.statistics.calibration import fit_temperature
from gastric_keras.statistics.class_report import ClassReport, class_report
from gastric_keras.statistics.draws import Draws


def score_classes(
    config: ExperimentConfig,
    validation: Predictions,
    test: Predictions,
    *,
    train: tuple[int, int] | None = None,
) -> ClassScores:
    """Every score of a classifier of more than two classes.

    Args:
        config: of the run.
        validation: fits the temperature.
        test: is scored; its calibration before and after scaling by that temperature.
        train: patches that it was trained on, and their cases; None: not counted,
            which a subset of cases needs.

    Returns:
        The scores; ``unfitted`` says why the temperature stayed at 1, where the
        validation split could not fit it; else None.
    """
    unfitted, temperature = why_unfitted(validation), 1.0
    if unfitted is None:
        temperature = fit_temperature(validation.label, validation.probability)
    report = partial(
        score_class_part,
        is_ordered=config.target.ordered,
        temperature=temperature,
        draws=draws_of(config),
    )
    return ClassScores(
        **trained(config, train),
        ordered=config.target.ordered,
        temperature=temperature,
        unfitted=unfitted,
        validation=report(validation),
        test=report(test),
        subgroups={
            name: ClassSplitReports(
                report(select(validation, pattern)), report(select(test, pattern))
            )
            for name, pattern in config.evaluate.subgroups.items()
        },
    )


def score_class_part(
    part: Predictions, *, is_ordered: bool, temperature: float, draws: Draws
) -> ClassReport:
    """Every score of some patches at a temperature that is fixed.

    Args:
        part: predictions of the patches.
        is_ordered: the classes are a ladder.
        temperature: > 0, of the scores after scaling.
        draws: of cases, for the intervals.
    """
    return class_report(
        part.label,
        part.probability,
        part.case_id,
        classes=part.classes,
        is_ordered=is_ordered,
        calibrated=scaled(part, temperature),
        draws=draws,
    )
