"""The three networks: uint8 patch in, probabilities out, preprocessing inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import applications, layers

from gastric_keras.config.experiment import SMALLEST_SIZES
from gastric_keras.models import alexnet
from gastric_keras.models.weights import load_weights
from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class Backbone:
    """How to build one network.

    Attributes:
        build: constructor in the form of keras.applications.
        preprocess: RGB 0…255 float tensor to what the network expects.
        image_size: side in px that its ImageNet weights were trained at.
        smallest_size: side in px below which its pooling leaves nothing.
        first_convolutions: block or stage -> layer name of its first convolution.
        probed_layers: the end of each block, from the input on.
    """

    build: Callable[..., keras.Model]
    preprocess: Callable[[Any], Any]
    image_size: int
    smallest_size: int
    first_convolutions: dict[str, str]
    probed_layers: tuple[str, ...]


_NAMED_BY_KERAS = (
    "conv2d",
    "batch_normalization",
    "activation",
    "max_pooling2d",
    "average_pooling2d",
    "concatenate",
    "input_layer",
)


def _inception_v3(**arguments: Any) -> keras.Model:
    """InceptionV3 with layer names that do not depend on what was built before it in
    the process: Keras' second copy would begin at conv2d_94."""
    seen: Counter[str] = Counter()

    def rename(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        kind, _, _ = config["name"].rpartition("_")
        kind = config["name"] if config["name"] in _NAMED_BY_KERAS else kind
        if kind in _NAMED_BY_KERAS:
            config["name"] = f"{kind}_{seen[kind]}"
            seen[kind] += 1
        return type(layer).from_config(config)

    name = arguments["name"]
    network = applications.InceptionV3(**arguments)
    copy = keras.models.clone_model(network, clone_function=rename)
    return keras.Model(copy.input, copy.output, name=name)


BACKBONES: dict[str, Backbone] = {
    "vgg16": Backbone(
        applications.VGG16,
        applications.vgg16.preprocess_input,
        224,
        SMALLEST_SIZES["vgg16"],
        {f"block{i}": f"block{i}_conv1" for i in range(1, 6)},
        tuple(f"block{i}_pool" for i in range(1, 6)),
    ),
    "alexnet": Backbone(
        alexnet.AlexNet,
        alexnet.preprocess_input,
        224,
        SMALLEST_SIZES["alexnet"],
        {f"conv{i}": f"conv{i}" for i in range(1, 6)},
        (*(f"conv{i}" for i in range(1, 6)), "pool5"),
    ),
    "inception_v3": Backbone(
        _inception_v3,
        applications.inception_v3.preprocess_input,
        299,
        SMALLEST_SIZES["inception_v3"],
        # The stages are named by their grid at 299 px.
        {
            "stem": "conv2d_0",
            "35x35": "conv2d_5",
            "17x17": "conv2d_29",
            "8x8": "conv2d_75",
        },
        tuple(f"mixed{i}" for i in range(11)),
    ),
}


def build_classifier(
    backbone: str,
    num_classes: int,
    *,
    image_size: int | tuple[int, int],
    weights: str,
    dropout: float = 0.5,
    train_batch_norm: bool = False,
    trainable_from: str | float | None = None,
) -> keras.Model:
    """Backbone, global average pooling, dropout, dense softmax head.

    Args:
        backbone: vgg16, alexnet or inception_v3.
        num_classes: of the head, 2 or more.
        image_size: side in px, or (height, width).
        weights: ``imagenet``, ``none`` or a path; see ``weights.load_weights``.
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
    if backbone not in BACKBONES:
        raise InputError(
            f"backbone: one of {', '.join(BACKBONES)} was expected. "
            f"Received: backbone={backbone!r}. Choose one of these."
        )
    if num_classes < 2:
        raise InputError(
            "num_classes of 2 or more was expected. "
            f"Received: num_classes={num_classes}. A two-class question has 2."
        )
    kind = BACKBONES[backbone]
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if min(size) < kind.smallest_size:
        raise InputError(
            f"image_size of at least {kind.smallest_size} px was expected for "
            f"{backbone}. Received: image_size={image_size}. Its pooling leaves "
            "nothing of less."
        )
    network = kind.build(
        include_top=False, weights=None, input_shape=(*size, 3), name="backbone"
    )
    load_weights(network, backbone, weights)
    _freeze(network, trainable_from=trainable_from, batch_norm=not train_batch_norm)
    inputs = keras.Input((*size, 3), dtype="uint8", name="patch")
    x = kind.preprocess(keras.ops.cast(inputs, "float32"))
    x = layers.GlobalAveragePooling2D(name="pool")(network(x))
    x = layers.Dropout(dropout, name="dropout")(x)
    # float32 whatever the policy: a softmax in half precision loses small differences.
    head = layers.Dense(num_classes, "softmax", dtype="float32", name="head")
    return keras.Model(inputs, head(x), name=f"{backbone}_classifier")


def _freeze(
    network: keras.Model, *, trainable_from: str | float | None, batch_norm: bool
) -> None:
    if isinstance(trainable_from, float):
        convolutions = [
            layer.name for layer in network.layers if isinstance(layer, layers.Conv2D)
        ]
        trainable_from = convolutions[int(trainable_from * len(convolutions))]
    names = [layer.name for layer in network.layers]
    if trainable_from is not None and trainable_from not in names:
        known = [layer.name for layer in network.layers if layer.weights]
        if len(known) > 20:
            known = [name for name in names if name.startswith("mixed")]
        raise InputError(
            f"trainable_from: a layer of the backbone such as {', '.join(known)} was "
            f"expected. Received: trainable_from={trainable_from!r}. null trains all."
        )
    first = 0 if trainable_from is None else names.index(trainable_from)
    for place, layer in enumerate(network.layers):
        is_kept = batch_norm and isinstance(layer, layers.BatchNormalization)
        # A frozen layer keeps its batch statistics too, in Keras.
        layer.trainable = place >= first and not is_kept


Forward = Callable[[tf.Tensor], tf.Tensor]


def build_forward(model: keras.Model) -> Forward:
    """The model as one graph that is traced once, whatever the size of the batch.

    Args:
        model: a classifier.

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
