"""Inception V3 with the same layer names in every build."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
from keras import applications

_NAMED_BY_KERAS = (
    "conv2d",
    "batch_normalization",
    "activation",
    "max_pooling2d",
    "average_pooling2d",
    "concatenate",
    "input_layer",
)


def build_inception_v3(**arguments: Any) -> keras.Model:
    """InceptionV3 with layer names that do not depend on what was built before it in
    the process: Keras' second copy would begin at conv2d_94.

    Args:
        **arguments: of ``keras.applications.InceptionV3``, with a name.
    """
    seen: Counter[str] = Counter()

    def rename(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        kind, _, _ = config["name"].rpartition("_")
        kind = config["name"] if config["name"] in _NAMED_BY_KERAS else kind
        if kind in _NAMED_BY_KERAS:
            config["name"] = f"{kind}_{seen[kind]}"
            seen[kind] += 1
        return type(layer).from_config(config)

    network = applications.InceptionV3(**arguments)
    copy = keras.models.clone_model(network, clone_function=rename)
    return keras.Model(copy.input, copy.output, name=arguments["name"])
