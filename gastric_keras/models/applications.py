"""Networks of keras.applications with the same layer names in every build."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import keras


def build_application(application: str, *, name: str, **arguments: Any) -> keras.Model:
    """A network of keras.applications whose layer names do not depend on what was built
    before it in the process: Keras' second Inception V3 would begin at conv2d_94.

    Args:
        application: its constructor, such as ``ResNet50``.
        name: of the network. Some constructors look up their blocks by the name that
            they are given, so they are given none.
        **arguments: of the constructor.
    """
    network = getattr(keras.applications, application)(**arguments)
    seen: Counter[str] = Counter()

    def rename(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        kind = _kind(layer)
        if re.fullmatch(rf"{kind}(_\d+)?", config["name"]):
            config["name"] = f"{kind}_{seen[kind]}"
            seen[kind] += 1
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=rename)
    named = keras.Model(copy.input, copy.output, name=name)
    if arguments.get("weights") is not None:
        named.set_weights(network.get_weights())
    return named


def _kind(layer: keras.Layer) -> str:
    """The name that Keras gives a layer which was given none."""
    # ReLU is re_lu, Conv2D conv2d: as keras.utils.naming does it, which is not public.
    name = re.sub(r"\W+", "", type(layer).__name__)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def build_inception_v3(**arguments: Any) -> keras.Model:
    """Inception V3; see :func:`build_application`."""
    return build_application("InceptionV3", **arguments)
