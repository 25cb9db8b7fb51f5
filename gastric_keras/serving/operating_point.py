"""How the served model of two classes answers: a probability of the positive one."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from gastric_keras.statistics.calibration import SMALLEST, scale_threshold


@dataclass(frozen=True)
class OperatingPoint:
    """How probabilities become labels.

    Attributes:
        classes: two names, in label order.
        positive: one of them.
        raw_threshold: a probability out of the network at or above it is positive.
        temperature: that probabilities are scaled by, see ``calibration``.
    """

    classes: tuple[str, ...]
    positive: str
    raw_threshold: float
    temperature: float

    @property
    def threshold(self) -> float:
        """The same threshold for calibrated probabilities."""
        return scale_threshold(self.raw_threshold, self.temperature)

    @property
    def index(self) -> int:
        """Column of the positive class."""
        return self.classes.index(self.positive)

    @property
    def negative(self) -> str:
        """The other class."""
        return self.classes[1 - self.index]


def call(probabilities: tf.Tensor, point: OperatingPoint) -> dict[str, tf.Tensor]:
    """Calibrate probabilities and label them, as ``calibration`` does in NumPy.

    Args:
        probabilities: (N, 2) float32, out of the network.
        point: of the run.

    Returns:
        The outputs of :func:`~gastric_keras.serving.graph.write_saved_model`.
    """
    # In double precision, as in evaluation: a label must not depend on rounding.
    raw = tf.cast(probabilities, tf.float64)
    logits = tf.math.log(tf.clip_by_value(raw, SMALLEST, 1.0)) / point.temperature
    calibrated = tf.nn.softmax(logits)[:, point.index]
    is_positive = raw[:, point.index] >= point.raw_threshold
    return {
        f"{point.positive}_probability": tf.cast(calibrated, tf.float32),
        "threshold": tf.fill(
            tf.shape(calibrated), tf.constant(point.threshold, tf.float32)
        ),
        "label": tf.where(is_positive, point.positive, point.negative),
        "raw_probabilities": probabilities,
    }
