"""What is known of one network."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gastric_keras.support.errors import require

_KERAS_HOME = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


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
            drawn; the first of them sees the picture itself. Empty: found from the
            network, by its grids; see ``models.layers.find_layers``.
        probed_layers: the end of each block, from the input on. Empty: found, likewise.
        gradcam_layer: whose maps Grad-CAM weighs: the last that still has a fine grid,
            as the paper takes the last convolution. Empty: the last with a grid.
        imagenet: what ``weights: imagenet`` loads; ``keras``: what ``build`` itself
            loads with ``weights="imagenet"``; None: there is no such file.
        assign_torch: ``(model, state, where)``: copies a PyTorch state dict into the
            network; None: it takes Keras files only.
    """

    title: str
    build: Callable[..., Any]
    preprocess: Callable[[Any], Any]
    image_size: int
    smallest_size: int
    first_convolutions: Mapping[str, str] = field(default_factory=dict)
    probed_layers: tuple[str, ...] = ()
    gradcam_layer: str = ""
    three_by_three: int | None = None
    imagenet: WeightsFile | Literal["keras"] | None = None
    assign_torch: Callable[..., None] | None = None

    def __post_init__(self) -> None:
        require(
            1 <= self.smallest_size <= self.image_size,
            "smallest_size must be in [1, image_size]",
            "Give the side in px below which the pooling leaves nothing.",
            smallest_size=self.smallest_size,
            image_size=self.image_size,
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that the entry names."""
        blocks = self.first_convolutions.values()
        last = (self.gradcam_layer,) if self.gradcam_layer else ()
        return (*blocks, *self.probed_layers, *last)
