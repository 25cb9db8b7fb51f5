"""Heads of a t=1 that learns something else than classes."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers


def replace_head(
    model: keras.Model, units: int, *, answer: Literal["numbers", "projection"]
) -> keras.Model:
    """The same network with another head; its backbone is shared, not copied.

    Args:
        model: of ``build_classifier``.
        units: numbers that the head answers.
        answer: ``numbers``: a linear head behind the dropout. ``projection``: a hidden
            layer as wide as the pooled features and a linear head, without dropout
            (SimCLR, Chen et al., ICML 2020, arXiv 2002.05709).

    Returns:
        uint8 (N, h, w, 3) RGB -> float32 (N, units). Its layers are ``backbone``,
        ``head`` and, of a projection, ``projection``.
    """
    if answer == "projection":
        pooled = model.get_layer("pool").output
        x = layers.Dense(pooled.shape[-1], "relu", name="projection")(pooled)
    else:
        x = model.get_layer("dropout").output
    head = layers.Dense(units, dtype="float32", name="head")
    return keras.Model(model.input, head(x), name=model.name)
