"""Initialize the head by logistic regression on the features of the backbone.

Each patch goes through the backbone once, without augmentation. The rest is a convex
problem of a few hundred columns, so this phase costs one pass instead of epochs.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from gastric_keras.models.inference import build_forward, predict


def extract_features(
    model: keras.Model, dataset: tf.data.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled features of every patch of an ``eval_dataset``.

    Returns:
        Features (n, channels) float32 and labels (n,) int.
    """
    pooled = keras.Model(model.input, model.get_layer("pool").output)
    columns = predict(build_forward(pooled), dataset)
    return columns["probability"], columns["label"]


def fit_head(
    features: np.ndarray, label: np.ndarray, *, strength: float, balance: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the softmax head that best fits the features.

    Args:
        features: (n, channels) float.
        label: (n,) int, every class at least once.
        strength: inverse regularization, scikit-learn's C, on centered features divided
            by their root mean variance. One scale for all: divided each by its own, a
            channel that hardly moves in forty patches would get a huge weight, and the
            first step of fine-tuning would blow it up.
        balance: weigh the loss by inverse class frequency.

    Returns:
        Kernel (channels, classes) and bias (classes,) float32, for the features as
        they are.
    """
    features = np.asarray(features, np.float64)
    center, scale = features.mean(axis=0), np.sqrt(features.var(axis=0).mean()) or 1.0
    regression = LogisticRegression(
        C=strength, class_weight="balanced" if balance else None, max_iter=1000
    ).fit((features - center) / scale, label)
    kernel, bias = regression.coef_, regression.intercept_
    if len(kernel) == 1:
        # Two classes share one score: half of it for one, half against the other.
        kernel, bias = (
            np.stack([-kernel[0], kernel[0]]) / 2,
            np.array([-1, 1]) * bias / 2,
        )
    kernel = kernel / scale
    bias = bias - kernel @ center
    return kernel.T.astype(np.float32), bias.astype(np.float32)


def probe_head(
    model: keras.Model,
    dataset: tf.data.Dataset,
    *,
    strength: float,
    balance: bool,
    head: str = "head",
) -> None:
    """Put the logistic regression into a classifier's head, in place.

    Args:
        model: a classifier.
        dataset: the training patches as an ``eval_dataset``.
        strength: see :func:`fit_head`.
        balance: see :func:`fit_head`.
        head: name of its layer.
    """
    features, label = extract_features(model, dataset)
    layer = model.get_layer(head)
    kernel, bias = fit_head(features, label, strength=strength, balance=balance)
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
