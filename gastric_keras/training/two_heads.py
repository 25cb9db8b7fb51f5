"""One t=1 with two heads, each of which learns a mid-level set of its own.

The loss of a batch is ``(1 - w) · L₁ + w · L₂``, with Lₕ the mean loss of head h over
its half of the batch and w ``mid.second.weight``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gastric_keras.config.mid import MidConfig
from gastric_keras.data.stage_data import class_weight, training_data
from gastric_keras.data.two_sets import (
    Head,
    heads_of,
    join_training,
    join_validation,
)
from gastric_keras.models.heads import SECOND_HEAD
from gastric_keras.runs.fit_scores import BOTH, goodness, head_column
from gastric_keras.training.plan import FitPlan, ProbedHead
from gastric_keras.training.runtime import batch_part
from gastric_keras.training.tasks import HeadTask, Task, task_of


def plan_two_heads(
    plan: FitPlan, mid: MidConfig, *, seed: int, image_size: int
) -> FitPlan:
    """Let two heads learn two mid-level sets.

    Args:
        plan: of t=1, whose model has both heads.
        mid: section of the config with a second set.
        seed: of order and augmentation.
        image_size: side in px.
    """
    where: dict[str, Any] = {"seed": seed, "image_size": image_size}
    task = join_tasks(*heads_of(mid))
    return replace(
        plan,
        data=join_training(mid, part=batch_part(), **where),
        validation=join_validation(mid, **where),
        # They are in the rows.
        class_weight=None,
        metrics=task.metrics,
        task=task,
        heads=tuple(
            ProbedHead(
                name,
                training_data(part, **where).plain,
                class_weight(part) is not None,
            )
            for name, part in zip(("head", SECOND_HEAD), mid.parts, strict=True)
        ),
    )


def join_tasks(*heads: Head) -> Task:
    """What two heads learn together.

    The epoch is chosen by ``val_mean``, the mean of the scores that each task is chosen
    by: AUC, R², and 1 less the mean absolute error of shares. The three are not on one
    scale: R² moves most.

    Args:
        heads: the first and the second.
    """
    tasks = {head.name: task_of(head.section) for head in heads}

    def score(rows: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
        loss, good, columns = 0.0, [], dict[str, float]()
        for head in heads:
            task = tasks[head.name]
            scores = task.score(*head.own(rows, prediction))
            loss += head.weight * scores["val_loss"]
            good.append(goodness(task.chosen_by, scores[task.chosen_by.column]))
            columns |= {head_column(head.name, k): v for k, v in scores.items()}
        return {"val_loss": loss, "val_mean": float(np.mean(good)), **columns}

    return Task(
        answer="rows",
        loss=lambda: TwoHeadLoss([(head, tasks[head.name].loss()) for head in heads]),
        metrics=lambda: [
            metric for head in heads for metric in _metrics(head, tasks[head.name])
        ],
        score=score,
        columns=(
            *("val_loss", "val_mean"),
            *(head_column(h.name, c) for h in heads for c in tasks[h.name].columns),
        ),
        chosen_by=BOTH,
        heads=tuple(
            HeadTask(head.name, tasks[head.name], head.section.classes, head.own)
            for head in heads
        ),
    )


class TwoHeadLoss(keras.losses.Loss):
    """The loss of each patch under the head of its set, by the weight in its row."""

    def __init__(
        self, losses: list[tuple[Head, keras.losses.Loss]], name: str = "two_heads"
    ) -> None:
        """Of both heads, each with its loss."""
        super().__init__(name=name)
        self.losses = losses

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Loss of each patch.

        Args:
            y_true: (N, width) rows.
            y_pred: (N, answers of both heads).
        """
        return tf.add_n(
            [
                y_true[:, head.place]
                * loss.call(head.truth_of(y_true), y_pred[:, head.answer])
                for head, loss in self.losses
            ]
        )


class OwnMean(keras.metrics.Metric):
    """A metric of one head, over the patches of its set."""

    def __init__(self, metric: keras.Metric, head: Head) -> None:
        """Of a metric that takes the head's truth and answers."""
        super().__init__(name=f"{head.name}_{metric.name}")
        self.metric, self.head = metric, head

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: object = None
    ) -> None:
        """Of rows and answers; Keras weighs nothing here."""
        is_own = tf.cast(y_true[:, self.head.place] > 0, tf.float32)
        truth = self.head.truth_of(y_true)
        self.metric.update_state(truth, y_pred[:, self.head.answer], is_own)

    def result(self) -> tf.Tensor:
        """The mean so far."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Begin anew."""
        self.metric.reset_state()


def _metrics(head: Head, task: Task) -> Iterator[keras.Metric]:
    call: Callable[..., tf.Tensor] = task.loss().call
    loss = keras.metrics.MeanMetricWrapper(partial(call), name="loss")
    for metric in (loss, *task.metrics()):
        yield OwnMean(metric, head)
