"""Small SavedModels that turn patches into vectors, for the real one of another lab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

#: (n, height, width, 3) of the signature's dtype -> name of output -> tensor.
Answer = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def moments(patches: tf.Tensor) -> dict[str, tf.Tensor]:
    """Mean and deviation of each channel: (n, 6)."""
    pixels = tf.cast(patches, tf.float32)
    mean, variance = tf.nn.moments(pixels, axes=[1, 2])
    return {"embedding": tf.concat([mean, tf.sqrt(variance)], axis=1)}


def write_embedding(
    folder: Path,
    answer: Answer = moments,
    *,
    dtype: str = "float32",
    shape: Sequence[int | None] | None = (None, 24, 24, 3),
    signature: str = "serving_default",
) -> Path:
    """Save a SavedModel with one signature; returns its folder."""
    module = tf.Module()
    module.factor = tf.Variable(1.0)

    def call(patches: tf.Tensor) -> dict[str, tf.Tensor]:
        found = answer(patches)
        return {k: v * tf.cast(module.factor, v.dtype) for k, v in found.items()}

    spec: Any = tf.TensorSpec(shape, tf.dtypes.as_dtype(dtype), "patches")
    module.call = tf.function(call, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures={signature: module.call})
    return folder
