"""Patches through a finished classifier: one graph, one device, every patch counted."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

Forward = Callable[[tf.Tensor], tf.Tensor]


def build_forward(model: keras.Model) -> Forward:
    """The model as one graph that is traced once, whatever the size of the batch.

    Returns:
        (N, h, w, 3) uint8 -> (N, classes) float32 probabilities.
    """
    height, width = model.input_shape[1:3]

    @tf.function(input_signature=[tf.TensorSpec((None, height, width, 3), tf.uint8)])
    def forward(patches: tf.Tensor) -> tf.Tensor:
        return model(patches, training=False)

    return forward


def predict(forward: Forward, dataset: tf.data.Dataset) -> dict[str, np.ndarray]:
    """Probabilities of every patch of an ``eval_dataset``, on one device.

    ``keras.Model.predict`` would divide the last, smaller batch among the replicas of
    a MirroredStrategy, which fails when one is left empty.

    Args:
        forward: out of :func:`build_forward`.
        dataset: of dicts with ``image``.

    Returns:
        The dataset's other columns, each (n,), and ``probability`` (n, classes)
        float32, in the order of the records.
    """
    columns: dict[str, list[np.ndarray]] = {}
    for batch in dataset:
        probability = forward(batch.pop("image"))
        for name, value in (batch | {"probability": probability}).items():
            columns.setdefault(name, []).append(value.numpy())
    return {name: np.concatenate(parts) for name, parts in columns.items()}
