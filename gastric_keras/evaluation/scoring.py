"""Predictions to scores, with threshold and temperature of the validation split."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.records.manifest import read_manifest
from gastric_keras.records.subsets import CaseSubset
from gastric_keras.runs.predictions import Predictions, select
from gastric_keras.runs.score_shapes import BETWEEN_KINDS, RunScores, SplitReports
from gastric_keras.statistics import split_report
from gastric_keras.statistics.calibration import apply_temperature, fit_temperature
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.statistics.split_report import Report
from gastric_keras.statistics.thresholds import best_threshold


def score(
    config: ExperimentConfig,
    validation: Predictions,
    test: Predictions,
    *,
    train: tuple[int, int] | None = None,
) -> RunScores:
    """Every score of a classifier.

    Args:
        config: of the run.
        validation: chooses the threshold (Youden's J) and the temperature.
        test: is scored at that threshold, and at 0.5; its calibration before and
            after scaling by that temperature.
        train: patches that it was trained on, and their cases; None: not counted,
            which a subset of cases needs.

    Returns:
        The scores; ``unfitted`` says why the threshold stayed at 0.5 and the
        temperature at 1, where the validation split could choose neither; else None.
    """
    positive = config.target.classes.index(config.target.scored_class)
    threshold, temperature, unfitted = choose_point(validation, positive)
    report = partial(
        score_part,
        positive=config.target.scored_class,
        threshold=threshold,
        temperature=temperature,
        draws=draws_of(config),
    )

    return RunScores(
        **trained(config, train),
        positive=config.target.scored_class,
        threshold=threshold,
        temperature=temperature,
        unfitted=unfitted,
        validation=report(validation),
        test=report(test),
        subgroups={
            name: SplitReports(
                report(select(validation, pattern)), report(select(test, pattern))
            )
            for name, pattern in config.evaluate.subgroups.items()
        },
    )


def trained(config: ExperimentConfig, train: tuple[int, int] | None) -> dict[str, Any]:
    """What was trained on what: the fields of ``Trained``, and the fold.

    Args:
        config: of the run.
        train: patches that it was trained on, and their cases; None: not counted.
    """
    return {
        "fold": read_manifest(config.target.records).fold,
        "name": config.name,
        "backbone": config.backbone.name,
        "weights": config.backbone.weights,
        "mid": _kind_of_mid(config),
        "subset": config.target.subset,
        "labels_per_class": _labels_per_class(config, train),
        "train_cases": train[1] if train else None,
        "seed": config.seed,
        "classes": config.target.classes,
    }


def _kind_of_mid(config: ExperimentConfig) -> str | None:
    """Kind of the mid-level set of a run, or of both; None: one stage."""
    if config.mid is None:
        return None
    sets = config.mid.sets.values()
    return BETWEEN_KINDS.join(read_manifest(folder).dataset for folder in sets)


def draws_of(config: ExperimentConfig) -> Draws:
    """Draws of cases for the intervals of a run."""
    evaluate = config.evaluate
    return Draws(evaluate.bootstrap, evaluate.confidence, config.seed)


def score_part(
    part: Predictions,
    *,
    positive: str,
    threshold: float,
    temperature: float,
    draws: Draws,
) -> Report:
    """Every score of some patches at a threshold and a temperature that are fixed.

    Args:
        part: predictions of the patches.
        positive: name of the positive class.
        threshold: in [0, 1].
        temperature: > 0, of the scores after scaling.
        draws: of cases, for the intervals.
    """
    label, probability = part.positives(positive)
    index = part.classes.index(positive)
    return split_report.report(
        label,
        probability,
        part.case_id,
        threshold=threshold,
        calibrated=scaled(part, temperature)[:, index],
        draws=draws,
    )


def choose_point(
    validation: Predictions, positive: int
) -> tuple[float, float, str | None]:
    """Threshold and temperature of a validation split, and why it chose none.

    Args:
        validation: predictions that choose.
        positive: index of the positive class.

    Returns:
        The threshold (Youden's J), the temperature, and None; where the split can
        choose neither 0.5, 1 and the reason.
    """
    unfitted = why_unfitted(validation)
    if unfitted is not None:
        return 0.5, 1.0, unfitted
    threshold = best_threshold(
        validation.label == positive, validation.probability[:, positive]
    )
    return threshold, fit_temperature(validation.label, validation.probability), None


def why_unfitted(validation: Predictions) -> str | None:
    """Why the validation split can choose neither threshold nor temperature."""
    if reason := not_numbers(validation.probability):
        return f"validation split: {reason}"
    if validation.label.min() == validation.label.max():
        only = validation.classes[validation.label[0]]
        return f"validation split: every patch is {only}"
    return None


def scaled(part: Predictions, temperature: float) -> np.ndarray:
    """(n, classes) after temperature scaling; as they are where not numbers."""
    if not_numbers(part.probability):
        return part.probability
    return apply_temperature(part.probability, temperature)


def _labels_per_class(config: ExperimentConfig, train: tuple[int, int] | None) -> float:
    """Expert labels that t=2 was trained on, by class; of all, the mean."""
    if train:
        return train[0] / len(config.target.classes)
    manifest, subset = read_manifest(config.target.records), config.target.subset
    if subset is None:
        return manifest.count("train") / len(manifest.classes)
    assert not isinstance(subset, CaseSubset), "its patches are counted"
    return float(manifest.subsets[subset] if isinstance(subset, str) else subset)
