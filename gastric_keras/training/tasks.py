"""What a stage learns: its loss, and how a validation split scores and chooses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import keras
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from gastric_keras.config.experiment import MidConfig, TargetConfig
from gastric_keras.data.stage_data import contrast_of
from gastric_keras.runs.fit_scores import AUC, CONTRAST, MAE, R2, FitScore
from gastric_keras.statistics.regression import (
    mean_absolute_error,
    r_squared,
    rank_correlation,
)
from gastric_keras.training.contrast import (
    ContrastiveAccuracy,
    NTXent,
    contrast_scores,
)

Scores = Callable[[np.ndarray, np.ndarray], dict[str, float]]
#: Beyond so many standard deviations Huber's loss grows like the distance.
HUBER_DELTA = 1.0
#: Probabilities below count as this in a validation loss, as in Keras.
_LEAST = 1e-7


def plain_metrics() -> list[keras.Metric]:
    """Share of training patches that are called right."""
    return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


@dataclass(frozen=True)
class HeadTask:
    """What one of two heads learns.

    Attributes:
        name: ``first`` or ``second``.
        task: of the head.
        classes: names of what it answers, in order.
        own: rows and predictions of a validation split -> truth and predictions of the
            head's own patches.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    own: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Task:
    """What a network learns of patches.

    Attributes:
        answer: what it is held against: the ``label`` or the ``quantities`` of a
            record, the other ``view`` of a patch, or, with two heads, ``rows``.
        loss: makes the loss of training.
        metrics: makes the metrics of training batches.
        score: truth and prediction of a validation split -> column of history.csv ->
            score.
        columns: names of these scores, in their order.
        chosen_by: the one of them that chooses the epoch.
        heads: where there are two, what each of them learns.
    """

    answer: Literal["label", "quantities", "view", "rows"]
    loss: Callable[[], keras.losses.Loss]
    metrics: Callable[[], list[keras.Metric]]
    score: Scores
    columns: tuple[str, ...]
    chosen_by: FitScore
    heads: tuple[HeadTask, ...] = ()


def validation_scores(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Loss, accuracy and AUC of a validation split, exact, in NumPy.

    Keras' own AUC is binned and its loss is diluted by padding.

    Args:
        label: (n,) int.
        probability: (n, classes) float, rows sum to 1.

    Returns:
        ``val_loss`` (mean cross-entropy), ``val_accuracy``, ``val_auc`` (of class 1
        for two classes, else the mean over the classes, each against the rest).
    """
    classes = probability.shape[1]
    probability = np.asarray(probability, np.float64)
    probability /= probability.sum(axis=1, keepdims=True)
    score = probability[:, 1] if classes == 2 else probability
    return {
        "val_loss": float(log_loss(label, probability, labels=range(classes))),
        "val_accuracy": float((probability.argmax(1) == label).mean()),
        "val_auc": float(roc_auc_score(label, score, multi_class="ovr")),
    }


def share_scores(
    shares: np.ndarray, probability: np.ndarray, *, classes: tuple[str, ...]
) -> dict[str, float]:
    """Loss, error and order of predicted shares.

    Args:
        shares: (n, classes) float, rows sum to 1.
        probability: (n, classes) float, likewise.
        classes: names.

    Returns:
        ``val_loss`` (mean soft cross-entropy), ``val_mae``, and ``val_rank_…``,
        Spearman's correlation of each class; NaN where its share never changes.
    """
    probability = np.asarray(probability, np.float64)
    logs = np.log(np.maximum(probability, _LEAST))
    ranks = rank_correlation(shares, probability)
    return {
        "val_loss": float(-(shares * logs).sum(axis=1).mean()),
        "val_mae": mean_absolute_error(shares, probability),
        **{f"val_rank_{name}": float(r) for name, r in zip(classes, ranks)},
    }


def measure_scores(
    truth: np.ndarray, predicted: np.ndarray, *, names: tuple[str, ...]
) -> dict[str, float]:
    """Loss and R² of predicted measures.

    Args:
        truth: (n, k) float, standardized.
        predicted: (n, k) float.
        names: of the measures.

    Returns:
        ``val_loss`` (Huber), ``val_r2`` (the mean over the measures that change) and
        ``val_r2_…`` of each; NaN where it never changes.
    """
    gap = np.abs(np.asarray(predicted, np.float64) - truth)
    inside = np.minimum(gap, HUBER_DELTA)
    each = r_squared(truth, predicted)
    return {
        "val_loss": float((inside * (gap - inside / 2)).mean()),
        "val_r2": float(np.nanmean(each)) if np.isfinite(each).any() else float("nan"),
        **{f"val_r2_{name}": float(r) for name, r in zip(names, each)},
    }


#: Of t=2, and of t=1 unless ``mid.task`` says otherwise.
CLASSES = Task(
    answer="label",
    loss=keras.losses.SparseCategoricalCrossentropy,
    metrics=plain_metrics,
    score=validation_scores,
    columns=("val_loss", "val_accuracy", "val_auc"),
    chosen_by=AUC,
)


def task_of(section: MidConfig | TargetConfig) -> Task:
    """What a stage learns of one set, as its section of the config says.

    Args:
        section: of the config.
    """
    if isinstance(section, TargetConfig) or section.task == "classes":
        return CLASSES
    names = section.classes
    if section.task == "shares":
        return Task(
            answer="quantities",
            loss=keras.losses.CategoricalCrossentropy,
            # Of the class with most of the patch.
            metrics=lambda: [keras.metrics.CategoricalAccuracy(name="accuracy")],
            score=partial(share_scores, classes=names),
            columns=("val_loss", "val_mae", *(f"val_rank_{name}" for name in names)),
            chosen_by=MAE,
        )
    if section.task == "measures":
        return Task(
            answer="quantities",
            loss=lambda: keras.losses.Huber(delta=HUBER_DELTA),
            metrics=lambda: [keras.metrics.MeanAbsoluteError(name="error")],
            score=partial(measure_scores, names=names),
            columns=("val_loss", "val_r2", *(f"val_r2_{name}" for name in names)),
            chosen_by=R2,
        )
    contrast = contrast_of(section)
    assert contrast is not None, "the last of the tasks"
    temperature = contrast.temperature
    return Task(
        answer="view",
        loss=lambda: NTXent(temperature),
        metrics=lambda: [ContrastiveAccuracy()],
        score=lambda _, z: contrast_scores(z, temperature=temperature),
        columns=("val_loss", "val_contrast"),
        chosen_by=CONTRAST,
    )
