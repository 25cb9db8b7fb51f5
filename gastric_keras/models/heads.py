"""Heads beside the softmax of a classifier, or in its place."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

#: Name of the head that learns the second of two mid-level sets.
SECOND_HEAD = "second_head"


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


def add_head(
    model: keras.Model, units: int, *, name: str, answer: Literal["classes", "numbers"]
) -> keras.Model:
    """A further head beside a network's own, behind the same dropout.

    Args:
        model: of ``build_classifier``; it shares every layer with what is returned.
        units: classes or numbers that the head answers.
        name: of its layer.
        answer: ``classes``: a softmax. ``numbers``: a linear head.

    Returns:
        uint8 (N, h, w, 3) RGB -> float32 (N, units of the model + units): the answers
        of both heads side by side.
    """
    activation = "softmax" if answer == "classes" else None
    head = layers.Dense(units, activation, dtype="float32", name=name)
    both = [model.output, head(model.get_layer("dropout").output)]
    joined = layers.Concatenate(dtype="float32", name="heads")(both)
    return keras.Model(model.input, joined, name=f"joint_{model.name}")
