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
from gastric_keras.training.tasks import CLASSES, Task, plain_metrics


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
class ProbedHead:
    """A head that may start from a regression on the features.

    Attributes:
        name: of its layer.
        patches: each training patch of its set once, as an ``eval_dataset``.
        balance: weigh the regression by inverse class frequency.
    """

    name: str
    patches: Callable[[], tf.data.Dataset]
    balance: bool


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
        metrics: makes the metrics of the training batches.
        task: what ``scored`` learns; its loss is that of the model.
        strategy: that the model was built under.
        keeps: the epoch whose weights are kept: ``best`` by the task's score, or
            ``last``, where the validation labels mean nothing.
        heads: of the model, where it has others than the one of ``data``.
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
    metrics: Callable[[], list[keras.Metric]] = plain_metrics
    task: Task = CLASSES
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    keeps: Literal["best", "last"] = "best"
    heads: tuple[ProbedHead, ...] = ()
    caption: BoardCaption | None = None
    callbacks: tuple[keras.callbacks.Callback, ...] = ()

    @property
    def probed_heads(self) -> tuple[ProbedHead, ...]:
        """Those that ``head: probe`` is about."""
        alone = ProbedHead("head", self.data.plain, self.class_weight is not None)
        return self.heads or (alone,)
