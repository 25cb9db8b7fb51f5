"""Initialize the head by logistic regression on the features of the backbone.

Each patch goes through the backbone once, without augmentation. The rest is a convex
problem of a few hundred columns, so this phase costs one pass instead of epochs.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression, Ridge

from gastric_keras.models.inference import build_forward, predict


def extract_features(
    model: keras.Model, dataset: tf.data.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled features of every patch of an ``eval_dataset``.

    Returns:
        Features (n, channels) float32, and what the patches are held against: labels
        (n,) int, or quantities (n, k) float32 where the dataset has them.
    """
    pooled = keras.Model(model.input, model.get_layer("pool").output)
    columns = predict(build_forward(pooled), dataset)
    return columns["probability"], columns.get("quantities", columns["label"])


def fit_head(
    features: np.ndarray, label: np.ndarray, *, strength: float, balance: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the softmax head that best fits the features.

    Args:
        features: (n, channels) float.
        label: (n,) int, every class at least once; or (n, classes) float shares that
            sum to 1: each patch then counts for every class by its share of it.
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
    center, scale = _center_and_scale(features)
    scaled, weight = (features - center) / scale, None
    if label.ndim == 2:
        scaled, label, weight = _by_share(scaled, label, balance=balance)
        balance = False
    regression = LogisticRegression(
        C=strength, class_weight="balanced" if balance else None, max_iter=1000
    ).fit(scaled, label, weight)
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


def fit_linear_head(
    features: np.ndarray, quantities: np.ndarray, *, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the linear head: ridge regression.

    Args:
        features: (n, channels) float.
        quantities: (n, k) float, standardized.
        strength: as of :func:`fit_head`: the penalty is ``1 / strength``.

    Returns:
        Kernel (channels, k) and bias (k,) float32, for the features as they are.
    """
    features = np.asarray(features, np.float64)
    center, scale = _center_and_scale(features)
    ridge = Ridge(alpha=1 / strength).fit((features - center) / scale, quantities)
    kernel = np.atleast_2d(ridge.coef_) / scale
    bias = ridge.intercept_ - kernel @ center
    return kernel.T.astype(np.float32), bias.astype(np.float32)


def _center_and_scale(features: np.ndarray) -> tuple[np.ndarray, float]:
    scale = float(np.sqrt(features.var(axis=0).mean())) or 1.0
    return features.mean(axis=0), scale


def _by_share(
    features: np.ndarray, shares: np.ndarray, *, balance: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Soft labels as hard ones with weights: the same cross-entropy."""
    weight = np.asarray(shares, np.float64)
    if balance:
        # As the fit weighs them: by the class with most of the patch.
        most = weight.argmax(axis=1)
        counts = np.bincount(most, minlength=weight.shape[1])
        weight = (
            weight * (len(most) / (np.maximum(counts, 1) * len(counts)))[most, None]
        )
    row, label = np.nonzero(weight)
    return features[row], label, weight[row, label]


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
    if layer.activation is keras.activations.softmax:
        kernel, bias = fit_head(features, label, strength=strength, balance=balance)
    else:
        kernel, bias = fit_linear_head(features, label, strength=strength)
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
