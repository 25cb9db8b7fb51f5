"""What one fit is told: the model, its patches, how, and where the files go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import keras
import tensorflow as tf

from gastric_keras.config.fit import FitConfig
from gastric_keras.data.stage_data import TrainingData
from gastric_keras.runs.run_dir import FitStage, RunDir
from gastric_keras.training.tasks import CLASSES, Task, plain_accuracy


@dataclass(frozen=True)
class BoardCaption:
    """What the curves and pictures of a stage need to be told.

    Attributes:
        classes: names, in label order.
        positive: the class that ROC and PR curves are of; None: each against the rest.
        epochs_before: of the stage before, which this one goes on from on the axis.
        config: of the run, YAML.
    """

    classes: tuple[str, ...]
    positive: str | None
    epochs_before: int
    config: str


@dataclass(frozen=True)
class FitPlan:
    """One stage's fit, as ``fit.fit`` carries it out.

    Attributes:
        stage: mid or target.
        run_dir: where weights, history, snapshots and TensorBoard's events go.
        config: how it is fitted.
        model: built under ``strategy.scope()``; left with the last epoch's weights.
        scored: the classifier that is validated and kept: the model, or one inside it.
        data: what the model is fitted on.
        validation: an ``eval_dataset``.
        class_weight: label -> factor of its loss; None: all 1.
        accuracy: makes the metric of the training batches.
        task: what ``scored`` learns; its loss is that of the model.
        strategy: that the model was built under.
        keeps: the epoch whose weights are kept: ``best`` by the task's score, or
            ``last``, where the validation labels mean nothing.
        caption: of what TensorBoard shows; None: nothing is written for it.
        callbacks: of your own, called after ours; they see the epoch's logs.
    """

    stage: FitStage
    run_dir: RunDir
    config: FitConfig
    model: keras.Model
    scored: keras.Model
    data: TrainingData
    validation: tf.data.Dataset
    class_weight: dict[int, float] | None = None
    accuracy: Callable[[], keras.Metric] = plain_accuracy
    task: Task = CLASSES
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    keeps: Literal["best", "last"] = "best"
    caption: BoardCaption | None = None
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
