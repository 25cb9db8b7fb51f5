"""Grad-CAM: where in a patch the evidence for a decision lies.

Selvaraju et al., ICCV 2017, doi 10.1109/ICCV.2017.74.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from gastric_keras.config.backbones import find_backbone
from gastric_keras.models.layers import find_layers
from gastric_keras.support.errors import require


def decision_maps(
    model: keras.Model,
    patches: np.ndarray,
    classes: Sequence[int] | np.ndarray,
    *,
    backbone: str,
) -> np.ndarray:
    """Evidence for one class in each place of each patch.

    ``L = ReLU(Σ_k α_k·A_k)`` with ``α_k`` the mean over all places of ``∂y/∂A_k``:
    A_k are the maps of the network's ``gradcam_layer`` and y is the log-odds of the
    class before the softmax, ``y_c - log Σ_{j≠c} exp y_j``. The paper takes y_c alone;
    of two classes only the difference of the two decides, so it is the difference that
    is explained. Maps, gradients and sums are in float32, whatever the policy; the
    network in between computes in its own precision.

    Args:
        model: a classifier out of ``build_classifier``.
        patches: (N, h, w, 3) uint8, of the model's size.
        classes: (N,) index of the class to explain for each patch.
        backbone: its name in the table of networks, such as vgg16.

    Returns:
        (N, h', w') float32 ≥ 0, 0 where nothing speaks for the class; not scaled.

    Raises:
        InputError: not one class for each patch, or a class that the model has not.
    """
    index = np.asarray(classes)
    known = model.output_shape[-1]
    require(
        index.shape == (len(patches),) and bool(np.isin(index, range(known)).all()),
        f"classes must be one class from 0 to {known - 1} for each of {len(patches)} "
        "patches",
        "Pass the index of the class that was called.",
        classes=index.tolist(),
    )
    kind = find_backbone(backbone)
    network, head = model.get_layer("backbone"), model.get_layer("head")
    layer = network.get_layer(find_layers(network, kind).gradcam)
    tapped = keras.Model(network.input, [layer.output, network.output])
    prepared = kind.preprocess(tf.cast(patches, tf.float32))
    with tf.GradientTape() as tape:
        # Frozen weights are not watched by themselves, and nothing would be recorded.
        tape.watch(prepared)
        maps, features = tapped(prepared, training=False)
        pooled = tf.cast(model.get_layer("pool")(features), tf.float32)
        # From the logits: a softmax that has come to 1 has no gradient left.
        logits = pooled @ tf.cast(head.kernel, tf.float32) + head.bias
        is_own = tf.one_hot(index, known) > 0
        own = tf.reduce_sum(tf.where(is_own, logits, 0.0), axis=1)
        others = tf.where(is_own, -np.inf, logits)
        odds = own - tf.reduce_logsumexp(others, axis=1)
    slope = tf.cast(tape.gradient(odds, maps), tf.float32)
    weight = tf.reduce_mean(slope, axis=(1, 2), keepdims=True)
    evidence = tf.reduce_sum(weight * tf.cast(maps, tf.float32), axis=-1)
    return tf.nn.relu(evidence).numpy()
