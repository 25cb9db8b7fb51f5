"""The table of networks: one entry holds everything known about a network."""

from __future__ import annotations

import functools
import os
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from gastric_keras.support.errors import InputError, require
from gastric_keras.support.streams import warn

_KERAS_HOME = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Deferred:
    """A function that is imported when it is called.

    A config can then be read without TensorFlow, which takes seconds to import.

    Attributes:
        path: ``package.module:function``.
    """

    path: str

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What the function returns."""
        return pkgutil.resolve_name(self.path)(*arguments, **options)


@dataclass(frozen=True)
class WeightsFile:
    """The official weights of a network, without its top.

    Attributes:
        url: where they are published.
        checksum: MD5 of the file, or the first digits of its SHA-256 (PyTorch's).
    """

    url: str
    checksum: str

    @property
    def file(self) -> str:
        """Its name in Keras' model cache."""
        return self.url.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """Where Keras keeps the file: ``~/.keras/models`` unless KERAS_HOME is set."""
        return _KERAS_HOME / "models" / self.file

    @property
    def algorithm(self) -> str:
        """Of the checksum, as hashlib names it."""
        return "md5" if len(self.checksum) == 32 else "sha256"


@dataclass(frozen=True)
class Backbone:
    """All that is known of one network.

    Layers are named as ``build`` names them, which must be the same in every build.

    Attributes:
        title: its name in print.
        build: constructor in the form of keras.applications: ``include_top=False,
            weights=None, input_shape=(h, w, 3), name=…`` to a keras.Model of float32
            (N, h, w, 3) -> (N, h', w', channels).
        preprocess: RGB 0…255 float tensor to what the network expects.
        image_size: side in px that its ImageNet weights were trained at.
        smallest_size: side in px below which its pooling leaves nothing.
        three_by_three: side in px from which on its last map is 3 × 3 or more; below,
            most of what that map sees is padding. None: not known, nothing is said.
        first_convolutions: block or stage -> its first convolution, whose responses are
            drawn; the first of them sees the picture itself.
        probed_layers: the end of each block, from the input on.
        gradcam_layer: whose maps Grad-CAM weighs: the last that still has a fine grid,
            as the paper takes the last convolution.
        imagenet: what ``weights: imagenet`` loads; None: there is no such file.
        assign_torch: ``(model, state, where)``: copies a PyTorch state dict into the
            network; None: it takes Keras files only.
    """

    title: str
    build: Callable[..., Any]
    preprocess: Callable[[Any], Any]
    image_size: int
    smallest_size: int
    first_convolutions: Mapping[str, str]
    probed_layers: tuple[str, ...]
    gradcam_layer: str
    three_by_three: int | None = None
    imagenet: WeightsFile | None = None
    assign_torch: Callable[..., None] | None = None

    def __post_init__(self) -> None:
        require(
            1 <= self.smallest_size <= self.image_size,
            "smallest_size must be in [1, image_size]",
            "Give the side in px below which the pooling leaves nothing.",
            smallest_size=self.smallest_size,
            image_size=self.image_size,
        )
        require(
            bool(self.first_convolutions) and bool(self.probed_layers),
            "first_convolutions and probed_layers must each name a layer",
            "Name layers of the network.",
            first_convolutions=self.first_convolutions,
            probed_layers=self.probed_layers,
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that the entry names."""
        blocks = self.first_convolutions.values()
        return (*blocks, *self.probed_layers, self.gradcam_layer)


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
        build=Deferred("gastric_keras.models.inception:build_inception_v3"),
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

BackboneName = Annotated[str, BACKBONES]


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
        BACKBONES.get(name, backbone) == backbone,
        "name must not be that of another network",
        f"Taken are {', '.join(BACKBONES)}.",
        name=name,
    )
    BACKBONES[name] = backbone


def find_backbone(name: str) -> Backbone:
    """The entry of a network.

    Raises:
        InputError: no network has that name.
    """
    if name not in BACKBONES:
        known = ", ".join(BACKBONES)
        raise InputError(
            f"backbone must be one of {known}, got {name!r}. Choose one of these."
        )
    return BACKBONES[name]


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
