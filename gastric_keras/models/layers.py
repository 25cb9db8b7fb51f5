"""Which layers of a network are drawn, probed and explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
from keras import layers

from gastric_keras.config.backbone import Backbone

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


@dataclass(frozen=True)
class NamedLayers:
    """Layers of one network.

    Attributes:
        first_convolutions: block or stage -> its first convolution.
        probed: the end of each block, from the input on.
        gradcam: whose maps Grad-CAM weighs.
    """

    first_convolutions: Mapping[str, str]
    probed: tuple[str, ...]
    gradcam: str


def find_layers(network: keras.Model, kind: Backbone) -> NamedLayers:
    """The layers that an entry of the table names; what it leaves open is found.

    A stage is what works on one grid, and is named by it (``28x28``), as those of
    Inception are. Its first convolution is drawn, its last layer is probed, and the
    last layer of all with a grid is Grad-CAM's. Grids of 1x1 inside (squeeze and
    excitation) are no stage.

    Args:
        network: without its top, as ``kind.build`` makes it.
        kind: its entry.
    """
    first, ends = _stages(network)
    return NamedLayers(
        kind.first_convolutions or first,
        kind.probed_layers or tuple(ends.values()),
        kind.gradcam_layer or list(ends.values())[-1],
    )


def _stages(network: keras.Model) -> tuple[dict[str, str], dict[str, str]]:
    first: dict[str, str] = {}
    ends: dict[str, str] = {}
    last = tuple(network.output.shape[1:3])
    for layer in network.layers:
        shape = getattr(layer, "output", network.input).shape
        grid = tuple(shape[1:3])
        if len(shape) != 4 or isinstance(layer, layers.ZeroPadding2D):
            continue
        if grid == (1, 1) and last != (1, 1):
            continue
        name = f"{grid[0]}x{grid[1]}"
        if isinstance(layer, _CONVOLUTIONS):
            first.setdefault(name, layer.name)
        if name in first:
            ends[name] = layer.name
    return first, ends


def first_convolution(network: keras.Model, named: NamedLayers) -> keras.Layer:
    """The convolution that sees the picture itself.

    It may lie in a part of the network, as the stem of ConvNeXt does.
    """
    layer = network.get_layer(next(iter(named.first_convolutions.values())))
    if layer.kernel.shape[2] == 3:
        return layer
    inner = (
        part
        for model in network.layers
        if isinstance(model, keras.Model)
        for part in model.layers
    )
    return next(
        part
        for part in inner
        if isinstance(part, layers.Conv2D) and part.kernel.shape[2] == 3
    )
