"""NT-Xent, the loss of two views that should be known as one patch.

With z the projections divided by their lengths and t the temperature, the loss of view
i with partner j is ``−log(exp(zᵢ·zⱼ / t) / Σₖ≠ᵢ exp(zᵢ·zₖ / t))`` (Chen et al., ICML
2020, arXiv 2002.05709, equation 1). Views 2i and 2i + 1 are partners.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

#: What no view is to itself: far below every similarity, yet finite.
_NEVER = -1e9
#: Views that validation compares with all others at a time.
_ROWS = 512


class NTXent(keras.losses.Loss):
    """The mean of the formula above over the views of a batch."""

    def __init__(self, temperature: float, name: str = "nt_xent") -> None:
        """Of a temperature above 0."""
        super().__init__(name=name)
        self.temperature = temperature

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Loss of each view.

        Args:
            y_true: (2N,), not read.
            y_pred: (2N, d) projections.
        """
        logits = _similarities(y_pred) / self.temperature
        partner = tf.bitwise.bitwise_xor(tf.range(tf.shape(logits)[0]), 1)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits)


class ContrastiveAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of the views of a batch whose nearest other view is their partner."""

    def __init__(self, name: str = "accuracy") -> None:
        """Of no settings."""

        def is_right(_: tf.Tensor, projections: tf.Tensor) -> tf.Tensor:
            nearest = tf.argmax(
                _similarities(projections), axis=1, output_type=tf.int32
            )
            partner = tf.bitwise.bitwise_xor(tf.range(tf.shape(nearest)[0]), 1)
            return tf.cast(nearest == partner, tf.float32)

        super().__init__(is_right, name=name)


def _similarities(projections: tf.Tensor) -> tf.Tensor:
    """Cosines (2N, 2N), of a view with itself ``_NEVER``."""
    z = tf.math.l2_normalize(tf.cast(projections, tf.float32), axis=1)
    cosines = tf.matmul(z, z, transpose_b=True)
    return tf.linalg.set_diag(cosines, tf.fill((tf.shape(z)[0],), _NEVER))


def contrast_scores(projections: np.ndarray, *, temperature: float) -> dict[str, float]:
    """Loss and accuracy among the views of a whole split: no label is in them.

    Args:
        projections: (2n, d), partners side by side.
        temperature: of the loss.

    Returns:
        ``val_loss`` and ``val_contrast``, the share of views nearest to their partner
        among all 2n − 1 others.
    """
    z = np.asarray(projections, np.float64)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    loss, right = 0.0, 0
    for start in range(0, len(z), _ROWS):
        own = np.arange(start, min(start + _ROWS, len(z)))
        cosines = z[own] @ z.T
        cosines[own - start, own] = _NEVER
        logits = cosines / temperature
        loss += (logsumexp(logits, axis=1) - logits[own - start, own ^ 1]).sum()
        right += int((cosines.argmax(axis=1) == own ^ 1).sum())
    return {"val_loss": float(loss / len(z)), "val_contrast": right / len(z)}
