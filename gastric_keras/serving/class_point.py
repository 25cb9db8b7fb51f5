"""How the served model of more than two classes answers: a probability of each."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from gastric_keras.statistics.calibration import SMALLEST


@dataclass(frozen=True)
class ClassPoint:
    """How probabilities of more than two classes become a label: the highest.

    Attributes:
        classes: names, in label order.
        temperature: that probabilities are scaled by, see ``calibration``.
    """

    classes: tuple[str, ...]
    temperature: float


def call_classes(probabilities: tf.Tensor, point: ClassPoint) -> dict[str, tf.Tensor]:
    """Calibrate the probabilities of each class, and name the highest.

    Args:
        probabilities: (N, classes) float32, out of the network.
        point: of the run.

    Returns:
        ``probabilities`` (N, classes) float32, calibrated, ``label`` (N,) string and
        ``raw_probabilities`` (N, classes) float32.
    """
    # In double precision, as in evaluation; scaling moves no call.
    raw = tf.cast(probabilities, tf.float64)
    logits = tf.math.log(tf.clip_by_value(raw, SMALLEST, 1.0)) / point.temperature
    return {
        "probabilities": tf.cast(tf.nn.softmax(logits), tf.float32),
        "label": tf.gather(tf.constant(point.classes), tf.argmax(raw, axis=1)),
        "raw_probabilities": probabilities,
    }
