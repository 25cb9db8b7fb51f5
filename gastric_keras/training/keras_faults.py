"""Workarounds for two bugs of Keras under several workers.

Seen in Keras 3.15.1 on TensorFlow 2.16 to 2.21; keras-team reports them as tensorflow
issue 72388. Both are in private names of Keras, which another version may lack.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras.src.backend.tensorflow import trainer as keras_trainer

from gastric_keras.support.errors import require

#: The version in which the bugs were seen and the workarounds tested.
SEEN_IN = "3.15.1"


def prepare_for_workers(
    strategy: tf.distribute.Strategy, model: keras.Model, dataset: tf.data.Dataset
) -> None:
    """Make ``model.fit`` work under several workers.

    Args:
        strategy: that the model was built under.
        model: compiled; its state is built here.
        dataset: of batches of (images, labels).

    Raises:
        InputError: this Keras lacks the names that are replaced.
    """
    _check_names(model)
    # It would average each metric over axis 0, which a scalar has not; under this
    # strategy a metric's state is that of all workers already, so that there is nothing
    # to average.
    keras_trainer._collective_all_reduce_multi_worker = lambda strategy: False
    # And it would build metrics and loss on the mean of the replicas' first batches,
    # which several workers cannot take outside of a graph: built on one batch here,
    # there is nothing left for it to build.
    images, labels = dataset.element_spec[:2]
    with strategy.scope():
        model._symbolic_build(
            data_batch=(
                tf.zeros(images.shape, images.dtype),
                tf.zeros(labels.shape, labels.dtype),
            )
        )
    model._maybe_symbolic_build = lambda **_: None


def _check_names(model: keras.Model) -> None:
    missing = [
        name
        for owner, name in (
            (keras_trainer, "_collective_all_reduce_multi_worker"),
            (model, "_symbolic_build"),
            (model, "_maybe_symbolic_build"),
        )
        if not hasattr(owner, name)
    ]
    require(
        not missing,
        f"Keras must have {', '.join(missing)}, as {SEEN_IN} has: training on several "
        "workers replaces these names",
        f"Install keras=={SEEN_IN}, or train with one worker.",
        keras=keras.__version__,
    )
