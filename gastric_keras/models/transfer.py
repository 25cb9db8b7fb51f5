"""The warm start: a backbone into the next stage's model, every weight named."""

from __future__ import annotations

import re
from collections import Counter

import keras
import numpy as np

from gastric_keras.runs.shapes import TransferReport
from gastric_keras.support.errors import InputError

#: Keras numbers the weights that a layer leaves without a name through the whole
#: process, as ``variable_54``: LayerScale of ConvNeXt does.
_UNNAMED = re.compile(r"(?<=/)variable(_\d+)?$")


def weight_names(model: keras.Model) -> dict[str, keras.Variable]:
    """Every weight of a classifier by name: ``backbone/block1_conv1/kernel``, …

    Weights without a name are numbered within their layer, so that the same network
    has the same names whenever it is built.

    Raises:
        InputError: two weights share a name.
    """
    backbone = model.get_layer("backbone")
    inside = {id(weight) for weight in backbone.weights}
    names: dict[str, keras.Variable] = {}
    unnamed: Counter[str] = Counter()
    for weight in model.weights:
        name = f"backbone/{weight.path}" if id(weight) in inside else weight.path
        if _UNNAMED.search(name):
            layer = _UNNAMED.sub("", name)
            name = f"{layer}variable_{unnamed[layer]}"
            unnamed[layer] += 1
        if name in names:
            raise InputError(
                f"Each weight must have its own name, got two weights named {name!r}. "
                "Give the layers of the backbone different names."
            )
        names[name] = weight
    return names


def warm_start(
    old: keras.Model,
    new: keras.Model,
    *,
    source: str = "the stage before",
    blend: float = 1.0,
) -> TransferReport:
    """Copy the backbone of one stage's model into the next one's, in place.

    The head is never copied: the classes change between the stages.

    Args:
        old: the classifier that was trained.
        new: the classifier to be trained, of the same backbone.
        source: where the old one came from, for the report.
        blend: share of the old one's weights; the rest is what the new one holds.

    Returns:
        The name of every weight that was copied, initialised or left.

    Raises:
        InputError: the backbones differ in a name or a shape.
    """
    given, wanted = weight_names(old), weight_names(new)
    surprises = [
        name
        for name in sorted(given.keys() | wanted.keys())
        if name.startswith("backbone/") and _shape(given, name) != _shape(wanted, name)
    ]
    if surprises:
        first = surprises[0]
        raise InputError(
            f"The backbone must have the same weights as {new.name}, got {old.name}, "
            f"which differs in {len(surprises)} of them, first in {first}: "
            f"{_shape(wanted, first)} wanted, {_shape(given, first)} given. Use the "
            "same backbone in every stage."
        )
    copied = [name for name in wanted if name.startswith("backbone/")]
    for name in copied:
        start = wanted[name]
        start.assign(given[name] if blend == 1 else _mix(start, given[name], blend))
    return TransferReport(
        source=source,
        copied=tuple(copied),
        initialised=tuple(name for name in wanted if name not in copied),
        unused=tuple(name for name in given if name not in copied),
    )


def _mix(start: keras.Variable, end: keras.Variable, share: float) -> np.ndarray:
    return (1 - share) * start.numpy() + share * end.numpy()


def pretrained_report(model: keras.Model, *, weights: str) -> TransferReport:
    """The report of a model that starts at t=0, for the same file.

    Args:
        model: fresh from ``build_classifier``.
        weights: what its backbone was filled with: imagenet, none, or a path.
    """
    names = list(weight_names(model))
    backbone = [name for name in names if name.startswith("backbone/")]
    copied = [] if weights == "none" else backbone
    return TransferReport(
        source=f"weights: {weights}",
        copied=tuple(copied),
        initialised=tuple(name for name in names if name not in copied),
        unused=(),
    )


def _shape(names: dict[str, keras.Variable], name: str) -> tuple | None:
    return tuple(names[name].shape) if name in names else None
