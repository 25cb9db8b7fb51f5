"""A small network that is not in the table, as a user would write it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import layers

from gastric_keras.config.backbones import BACKBONES, Backbone, register_backbone


def build_two_blocks(
    *, include_top: bool, weights: None, input_shape: tuple[int, int, int], name: str
) -> keras.Model:
    """Two convolutions, the second with batch normalization."""
    assert not include_top and weights is None
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(6, 3, activation="relu", name="conv2")(x)
    x = layers.BatchNormalization(name="norm2")(x)
    return keras.Model(inputs, layers.MaxPooling2D(2, name="pool2")(x), name=name)


OWN_NETWORK = Backbone(
    title="Two blocks",
    build=build_two_blocks,
    preprocess=lambda rgb: rgb / 127.5 - 1,
    image_size=32,
    smallest_size=10,
    first_convolutions={"block1": "conv1", "block2": "conv2"},
    probed_layers=("pool1", "pool2"),
    gradcam_layer="conv2",
)


@contextmanager
def registered() -> Iterator[str]:
    """The name of OWN_NETWORK, as long as the table has it."""
    register_backbone("two_blocks", OWN_NETWORK)
    try:
        yield "two_blocks"
    finally:
        del BACKBONES["two_blocks"]
