"""What the filters of the first convolutions are, and what they answer to a patch."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from gastric_keras.config.backbones import find_backbone
from gastric_keras.models.layers import find_layers, first_convolution


def filter_responses(
    model: keras.Model, patches: np.ndarray, *, backbone: str
) -> dict[str, np.ndarray]:
    """Responses of the first convolution of each block, as in figure 7 of the paper.

    Args:
        model: a classifier.
        patches: (N, h, w, 3) uint8, of the model's size.
        backbone: its name in the table of networks, such as vgg16.

    Returns:
        block -> (N, h', w', channels) float32, after the convolution's own activation.
    """
    network = model.get_layer("backbone")
    kind = find_backbone(backbone)
    names = find_layers(network, kind).first_convolutions
    taps = keras.Model(
        network.input,
        {block: network.get_layer(n).output for block, n in names.items()},
    )
    prepared = kind.preprocess(tf.cast(patches, tf.float32))
    return {
        block: np.asarray(value, np.float32) for block, value in taps(prepared).items()
    }


def first_kernels(model: keras.Model, *, backbone: str) -> np.ndarray:
    """Kernels of the first convolution of all, which see the picture itself.

    Args:
        model: a classifier.
        backbone: its name in the table of networks, such as vgg16.

    Returns:
        (h, w, 3, channels) float32, for red, green and blue in this order, whatever
        the order that the network takes.
    """
    kind = find_backbone(backbone)
    network = model.get_layer("backbone")
    kernel = np.asarray(first_convolution(network, find_layers(network, kind)).kernel)
    # VGG16 takes blue first; where a pure color comes out tells.
    black = np.asarray(kind.preprocess(tf.zeros((1, 1, 3, 3))))
    pure = np.asarray(kind.preprocess(tf.reshape(255 * tf.eye(3), (1, 1, 3, 3))))
    place = np.abs(pure - black)[0, 0].argmax(axis=1)
    return kernel[:, :, place].astype(np.float32)
