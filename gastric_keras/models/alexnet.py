"""AlexNet in the form of keras.applications, which lacks it."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers
from keras.applications import imagenet_utils

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.models.weights import load_weights
from gastric_keras.support.errors import InputError

SMALLEST_SIZE = BACKBONES["alexnet"].smallest_size


def AlexNet(  # noqa: N802 (named as in keras.applications)
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int, int, int] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
    name: str = "alexnet",
) -> keras.Model:
    """The single-tower AlexNet (64-192-384-256-256), equal to torchvision's.

    Krizhevsky, "One weird trick for parallelizing convolutional neural networks",
    arXiv 1404.5997 (2014).

    Args:
        include_top: with the three dense layers; the input is then 224×224.
        weights: ``imagenet`` (torchvision's file), None (random), or a path.
        input_tensor: Keras tensor to use as input.
        input_shape: (h, w, 3), at least 63×63; (224, 224, 3) when None.
        pooling: without the top: None, ``avg`` or ``max``.
        classes: with the top: number of classes.
        classifier_activation: of the last layer; None for logits.
        name: of the model.

    Returns:
        float32 (N, h, w, 3), preprocessed by :func:`preprocess_input`, to
        (N, classes), or without the top to (N, h', w', 256) or pooled (N, 256).

    Raises:
        InputError: an input too small, or weights that do not fit.
    """
    shape = tuple(input_shape or (224, 224, 3))
    if min(shape[:2]) < SMALLEST_SIZE or (include_top and shape[:2] != (224, 224)):
        wanted = "224" if include_top else f"at least {SMALLEST_SIZE}"
        raise InputError(
            f"input_shape must be {wanted} px a side, got input_shape={input_shape}, "
            f"include_top={include_top}. Resize the patches."
        )
    if input_tensor is None:
        inputs = x = keras.Input(shape)
    else:
        inputs = keras.utils.get_source_inputs(input_tensor)[0]
        x = input_tensor
    x = _features(x)
    if include_top:
        x = _classifier(x, classes, classifier_activation)
    elif pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    elif pooling == "max":
        x = layers.GlobalMaxPooling2D(name="max_pool")(x)
    model = keras.Model(inputs, x, name=name)
    load_weights(model, "alexnet", weights or "none")
    return model


def _features(x: Any) -> Any:
    # torchvision pads by hand; "same" would pad unevenly at stride 4.
    x = layers.ZeroPadding2D(2, name="pad1")(x)
    x = layers.Conv2D(64, 11, strides=4, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(3, 2, name="pool1")(x)
    x = layers.Conv2D(192, 5, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = layers.Conv2D(384, 3, padding="same", activation="relu", name="conv3")(x)
    x = layers.Conv2D(256, 3, padding="same", activation="relu", name="conv4")(x)
    x = layers.Conv2D(256, 3, padding="same", activation="relu", name="conv5")(x)
    return layers.MaxPooling2D(3, 2, name="pool5")(x)


def _classifier(x: Any, classes: int, activation: str | None) -> Any:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.5, name="drop6")(x)
    x = layers.Dense(4096, activation="relu", name="fc6")(x)
    x = layers.Dropout(0.5, name="drop7")(x)
    x = layers.Dense(4096, activation="relu", name="fc7")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


def preprocess_input(x: Any) -> Any:
    """RGB in 0…255 to what AlexNet expects: scaled to 0…1, ImageNet mean and deviation.

    Args:
        x: (…, 3) float array or tensor, RGB, 0…255.

    Returns:
        The same shape, float.
    """
    return imagenet_utils.preprocess_input(x, mode="torch")
