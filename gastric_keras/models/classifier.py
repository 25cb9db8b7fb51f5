"""A classifier: uint8 patch in, probabilities out, preprocessing inside."""

from __future__ import annotations

import keras
from keras import layers

from gastric_keras.config.backbone import Backbone
from gastric_keras.config.backbones import (
    check_image_size,
    find_backbone,
    warn_of_small_maps,
)
from gastric_keras.models.layers import find_layers
from gastric_keras.models.weights import load_weights
from gastric_keras.support.errors import InputError, require


def build_classifier(
    backbone: str,
    num_classes: int,
    *,
    image_size: int | tuple[int, int],
    weights: str | None,
    dropout: float = 0.5,
    train_batch_norm: bool = False,
    trainable_from: str | float | None = None,
) -> keras.Model:
    """Backbone, global average pooling, dropout, dense softmax head.

    Warns, once a process, where the backbone's last map is smaller than 3 × 3.

    Args:
        backbone: a name in the table of networks, such as vgg16.
        num_classes: of the head, 2 or more.
        image_size: side in px, or (height, width).
        weights: ``imagenet``, None or ``none`` (random), or a path; see
            ``weights.load_weights``.
        dropout: rate before the head.
        train_batch_norm: let batch normalization adapt (Inception only); otherwise its
            statistics, scales and shifts stay those of ImageNet.
        trainable_from: layer of the backbone before which nothing is trained, or the
            share of its convolutions, in [0, 1), that is not; None: all of it is.

    Returns:
        uint8 (N, h, w, 3) RGB -> float32 (N, num_classes) probabilities. The backbone
        is ``model.get_layer("backbone")``, the head ``model.get_layer("head")``.

    Raises:
        InputError: unknown backbone or layer, an image too small, or weights that do
            not fit.
    """
    kind = find_backbone(backbone)
    check_image_size(backbone, image_size)
    warn_of_small_maps(backbone, image_size)
    if num_classes < 2:
        raise InputError(
            f"num_classes must be at least 2, got {num_classes}. "
            "A two-class question has 2."
        )
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    network = kind.build(
        include_top=False, weights=None, input_shape=(*size, 3), name="backbone"
    )
    _check_layers(network, backbone, kind)
    load_weights(network, backbone, weights or "none")
    if trainable_from is not None:
        trainable_from = _first_trained(network, kind, trainable_from)
    _freeze(network, trainable_from=trainable_from, batch_norm=not train_batch_norm)
    inputs = keras.Input((*size, 3), dtype="uint8", name="patch")
    x = kind.preprocess(keras.ops.cast(inputs, "float32"))
    x = layers.GlobalAveragePooling2D(name="pool")(network(x))
    x = layers.Dropout(dropout, name="dropout")(x)
    # float32 whatever the policy: a softmax in half precision loses small differences.
    head = layers.Dense(num_classes, "softmax", dtype="float32", name="head")
    return keras.Model(inputs, head(x), name=f"{backbone}_classifier")


def _check_layers(network: keras.Model, name: str, kind: Backbone) -> None:
    """Not after hours of training, when the first of them is asked for."""
    known = {layer.name for layer in network.layers}
    require(
        known.issuperset(kind.layers),
        f"The entry of {name} must name layers that the network has only",
        "Name them as its constructor does.",
        missing=[layer for layer in kind.layers if layer not in known],
    )


def _first_trained(network: keras.Model, kind: Backbone, where: str | float) -> str:
    """The layer from which on a backbone is trained."""
    if isinstance(where, float):
        convolutions = [
            layer.name for layer in network.layers if isinstance(layer, layers.Conv2D)
        ]
        return convolutions[int(where * len(convolutions))]
    if where not in {layer.name for layer in network.layers}:
        known = [layer.name for layer in network.layers if layer.weights]
        known = list(find_layers(network, kind).probed) if len(known) > 20 else known
        raise InputError(
            "trainable_from must be a layer of the backbone such as "
            f"{', '.join(known)}, got {where!r}. null trains all."
        )
    return where


def _freeze(
    network: keras.Model, *, trainable_from: str | None, batch_norm: bool
) -> None:
    names = [layer.name for layer in network.layers]
    first = 0 if trainable_from is None else names.index(trainable_from)
    for place, layer in enumerate(network.layers):
        is_kept = batch_norm and isinstance(layer, layers.BatchNormalization)
        # A frozen layer keeps its batch statistics too, in Keras.
        layer.trainable = place >= first and not is_kept
