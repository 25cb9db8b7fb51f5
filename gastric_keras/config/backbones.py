"""The table of networks: one entry holds everything known about a network."""

from __future__ import annotations

import difflib
import functools
import re
from collections import ChainMap
from typing import Annotated

from gastric_keras.config.applications import APPLICATIONS
from gastric_keras.config.backbone import Backbone, Deferred, WeightsFile
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.streams import warn

_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"

TORCHVISION_ALEXNET = WeightsFile(
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "7be5be79"
)

#: Name in a config -> the network.
BACKBONES: dict[str, Backbone] = {
    "vgg16": Backbone(
        title="VGG-16",
        build=Deferred("keras.applications:VGG16"),
        preprocess=Deferred("keras.applications.vgg16:preprocess_input"),
        image_size=224,
        smallest_size=32,
        three_by_three=96,
        first_convolutions={f"block{i}": f"block{i}_conv1" for i in range(1, 6)},
        probed_layers=tuple(f"block{i}_pool" for i in range(1, 6)),
        gradcam_layer="block5_conv3",
        imagenet=WeightsFile(
            f"{_KERAS_FILES}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "6d6bbae143d832006294945121d1f1fc",
        ),
    ),
    "alexnet": Backbone(
        title="AlexNet",
        build=Deferred("gastric_keras.models.alexnet:AlexNet"),
        preprocess=Deferred("gastric_keras.models.alexnet:preprocess_input"),
        image_size=224,
        smallest_size=63,
        three_by_three=127,
        first_convolutions={f"conv{i}": f"conv{i}" for i in range(1, 6)},
        probed_layers=(*(f"conv{i}" for i in range(1, 6)), "pool5"),
        gradcam_layer="conv5",
        imagenet=TORCHVISION_ALEXNET,
        assign_torch=Deferred("gastric_keras.models.torch_files:assign_torch"),
    ),
    "inception_v3": Backbone(
        title="Inception V3",
        build=Deferred("gastric_keras.models.applications:build_inception_v3"),
        preprocess=Deferred("keras.applications.inception_v3:preprocess_input"),
        image_size=299,
        smallest_size=75,
        three_by_three=139,
        # The stages are named by their grid at 299 px.
        first_convolutions={
            "stem": "conv2d_0",
            "35x35": "conv2d_5",
            "17x17": "conv2d_29",
            "8x8": "conv2d_75",
        },
        probed_layers=tuple(f"mixed{i}" for i in range(11)),
        # It has no last convolution: several run side by side into this one.
        gradcam_layer="mixed10",
        imagenet=WeightsFile(
            f"{_KERAS_FILES}/inception_v3/"
            "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "bcbd6486424b2319ff4ef7d526e38f63",
        ),
    ),
}

#: Those of the table, which are tried all through, then the others that Keras has.
NETWORKS = ChainMap(APPLICATIONS, BACKBONES)
BackboneName = Annotated[str, NETWORKS]


def register_backbone(name: str, backbone: Backbone) -> None:
    """Add a network of your own to those that a config can name.

    Every stage then takes it, as it takes the three that come with the package. The
    table is of one process: register the network in a script that then calls
    ``gastric_keras.run.main`` with the arguments of the command line.

    Args:
        name: for ``backbone.name`` of a config: lower-case letters, digits and ``_``.
        backbone: all that is known of the network.

    Raises:
        InputError: another network has that name, or it is no such name.

    Example:
        >>> register_backbone("small", Backbone(
        ...     title="Small net",
        ...     build=build_small_net,
        ...     preprocess=lambda rgb: rgb / 127.5 - 1,
        ...     image_size=64,
        ...     smallest_size=16,
        ...     first_convolutions={"block1": "conv1", "block2": "conv2"},
        ...     probed_layers=("pool1", "pool2"),
        ...     gradcam_layer="conv2",
        ... ))
        >>> run.main(["--stage", "all", "--config", "small.yaml"])
    """
    require(
        re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None,
        "name must have lower-case letters, digits and '_' only",
        "It becomes the backbone.name of configs.",
        name=name,
    )
    require(
        NETWORKS.get(name, backbone) == backbone,
        "name must not be that of another network",
        f"Taken are {', '.join(BACKBONES)} and what keras.applications has.",
        name=name,
    )
    BACKBONES[name] = backbone


def find_backbone(name: str) -> Backbone:
    """The entry of a network.

    Raises:
        InputError: no network has that name.
    """
    if name not in NETWORKS:
        near = difflib.get_close_matches(name.lower(), NETWORKS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Choose one of these."
        raise InputError(
            f"backbone must be one of {', '.join(NETWORKS)}, got {name!r}. {hint}"
        )
    return NETWORKS[name]


def check_image_size(name: str, image_size: int | tuple[int, int]) -> None:
    """Refuse patches of which a network's pooling would leave nothing.

    Args:
        name: of the network.
        image_size: side in px, or (height, width).

    Raises:
        InputError: no such network, or the patches are too small for it.
    """
    smallest = find_backbone(name).smallest_size
    least = image_size if isinstance(image_size, int) else min(image_size)
    require(
        least >= smallest,
        f"image_size must be at least {smallest} px for {name}",
        "Its pooling leaves nothing of a smaller patch.",
        image_size=image_size,
    )


@functools.cache
def warn_of_small_maps(name: str, image_size: int | tuple[int, int]) -> None:
    """Warn, once a process, where the last map of a network is smaller than 3 × 3.

    Args:
        name: of the network.
        image_size: side in px, or (height, width).
    """
    wanted = find_backbone(name).three_by_three
    least = image_size if isinstance(image_size, int) else min(image_size)
    if wanted is not None and least < wanted:
        warn(
            f"image_size {least} leaves {name} a last map smaller than 3 × 3, most of "
            f"it padding. Set image_size to {wanted} or more: patches are enlarged."
        )
