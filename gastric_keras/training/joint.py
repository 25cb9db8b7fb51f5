"""Both sets at once: one backbone, two heads, a batch of each in every update.

Multi-task training, which Qu et al. name as future work; here it is a control of
stepwise fine-tuning.
"""

from __future__ import annotations

import math
from dataclasses import replace

import keras
import tensorflow as tf

from gastric_keras.config.experiment import MidConfig
from gastric_keras.data.stage_data import (
    TrainingData,
    class_weight,
    count_steps,
    training_data,
)
from gastric_keras.models.heads import add_head
from gastric_keras.training.head_probe import probe_head
from gastric_keras.training.plan import FitPlan
from gastric_keras.training.runtime import batch_part

MID_HEAD = "mid_head"


def plan_joint(plan: FitPlan, mid: MidConfig, *, seed: int, image_size: int) -> FitPlan:
    """Let a second head learn the mid-level set while the target's is fitted.

    Args:
        plan: of the target classifier, which alone is validated and kept.
        mid: section of the config; its epochs do not count.
        seed: of order and augmentation.
        image_size: side in px.
    """
    updates = plan.config.epochs * plan.data.steps_per_epoch
    epochs = math.ceil(updates / count_steps(mid))
    mid = replace(mid, fit=replace(mid.fit, epochs=epochs))
    other = training_data(mid, seed=seed, image_size=image_size, part=batch_part())
    weights = class_weight(mid)
    with plan.strategy.scope():
        both = build_joint(plan.model, len(mid.classes))
        if mid.fit.head == "probe":
            probe_head(
                both,
                other.plain(),
                strength=mid.fit.probe_strength,
                balance=weights is not None,
                head=MID_HEAD,
            )
    classes = plan.model.output_shape[-1]
    return replace(
        plan,
        model=both,
        data=join_data(plan.data, other, target_classes=classes),
        class_weight=_join_weights(
            plan.class_weight, weights, classes, len(mid.classes)
        ),
        metrics=lambda: [JointAccuracy(classes)],
    )


def _join_weights(
    target: dict[int, float] | None,
    mid: dict[int, float] | None,
    target_classes: int,
    mid_classes: int,
) -> dict[int, float]:
    target = target or dict.fromkeys(range(target_classes), 1.0)
    mid = mid or dict.fromkeys(range(mid_classes), 1.0)
    return target | {target_classes + label: w for label, w in mid.items()}


def build_joint(model: keras.Model, mid_classes: int) -> keras.Model:
    """A second head beside a classifier's own.

    Args:
        model: the target classifier; it shares every layer with what is returned.
        mid_classes: of the mid-level set.

    Returns:
        uint8 (N, h, w, 3) -> float32 (N, target classes + mid-level classes): the two
        softmaxes side by side. Keras' cross-entropy divides by their sum, which is 2
        for every patch: a constant in the loss, nothing in its gradient.
    """
    return add_head(model, mid_classes, name=MID_HEAD, answer="classes")


def join_data(
    target: TrainingData, mid: TrainingData, *, target_classes: int
) -> TrainingData:
    """A batch of the target set and one of the mid-level set in every update.

    Args:
        target: whose epochs count.
        mid: gone through as often as it takes; its labels come after the target's.
        target_classes: number of the target's labels.

    Returns:
        Batches of both, one behind the other; several workers have rows of both.
    """

    def batches(start: int) -> tf.data.Dataset:
        step = start * target.steps_per_epoch
        passed, rest = divmod(step, mid.steps_per_epoch)
        pairs = tf.data.Dataset.zip(
            (target.batches(start), mid.batches(passed).skip(rest))
        )
        return pairs.map(
            lambda a, b: (
                tf.concat([a[0], b[0]], axis=0),
                tf.concat([a[1], b[1] + target_classes], axis=0),
            )
        )

    def keys(number: int) -> list[str]:
        return target.keys(number) + mid.keys(number)

    return TrainingData(batches, target.plain, keys, target.steps_per_epoch)


class JointAccuracy(keras.metrics.MeanMetricWrapper):
    """Accuracy of each patch under its own head."""

    def __init__(self, target_classes: int, name: str = "accuracy") -> None:
        """Of a model whose first ``target_classes`` outputs are the target's head."""

        def is_right(label: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
            label = tf.reshape(tf.cast(label, tf.int64), (-1,))
            first = tf.argmax(probability[:, :target_classes], axis=1)
            second = target_classes + tf.argmax(probability[:, target_classes:], axis=1)
            called = tf.where(label < target_classes, first, second)
            return tf.cast(called == label, tf.float32)

        super().__init__(is_right, name=name)
