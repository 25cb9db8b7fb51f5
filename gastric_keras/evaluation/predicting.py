"""Patches of a target set through a finished classifier."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.data.pipeline import eval_dataset
from gastric_keras.data.selection import Selection
from gastric_keras.models.inference import build_forward, predict
from gastric_keras.runs.predictions import Predictions


def predict_selections(
    config: ExperimentConfig, model: keras.Model, selections: Sequence[Selection]
) -> Predictions:
    """Probabilities of every patch of some selections, one after the other.

    Args:
        config: of the run.
        model: the target classifier.
        selections: such as the splits of an external cohort; one or more.
    """
    forward = build_forward(model)
    parts = []
    for selection in selections:
        dataset = eval_dataset(
            selection,
            image_size=config.backbone.image_size,
            batch_size=config.target.fit.batch_size,
        )
        parts.append(predict(forward, dataset))
    columns = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }
    for name in ("case_id", "image_id"):
        columns[name] = np.array([value.decode() for value in columns[name]])
    return Predictions(classes=config.target.classes, **columns)
