"""ImageNet weights: where they come from, how they are read, what to do without."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from gastric_keras.models.torch_files import read_torch_state
from gastric_keras.support.errors import InputError

_KERAS_HOME = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


@dataclass(frozen=True)
class Source:
    """The official weights file of a network.

    Attributes:
        url: where it is published.
        file: its name in Keras' model cache.
        checksum: MD5 of the file, or the first digits of its SHA-256 (PyTorch's).
    """

    url: str
    file: str
    checksum: str

    @property
    def path(self) -> Path:
        """Where Keras keeps the file: ``~/.keras/models`` unless KERAS_HOME is set."""
        return _KERAS_HOME / "models" / self.file


_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"

#: VGG16 and InceptionV3 as in keras.applications; AlexNet as in torchvision.models.
IMAGENET: dict[str, Source] = {
    "vgg16": Source(
        f"{_KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "inception_v3": Source(
        f"{_KERAS}/inception_v3/"
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
    "alexnet": Source(
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "alexnet-owt-7be5be79.pth",
        "7be5be79",
    ),
}


def load_weights(backbone: keras.Model, name: str, weights: str) -> None:
    """Fill a backbone with pre-trained weights, in place.

    Args:
        backbone: a network without its top, as ``models.BACKBONES`` builds it.
        name: vgg16, alexnet or inception_v3.
        weights: ``imagenet``, ``none`` (leave it as it is) or the path of a file:
            Keras ``.h5``, or PyTorch ``.pth`` for AlexNet.

    Raises:
        InputError: no such file and none to be had, a damaged one, or one of another
            network.
    """
    if weights == "none":
        return
    path = imagenet_file(name) if weights == "imagenet" else Path(weights)
    if not path.is_file():
        raise InputError(
            "weights: imagenet, none, or the path of a weights file was expected. "
            f"Received: weights={weights!r}. {_how_to_fetch(name)}"
        )
    if path.suffix in (".pth", ".pt"):
        if name != "alexnet":
            raise InputError(
                f"A Keras weights file was expected for {name}. Received: {path}, a "
                f"PyTorch file, which is read for AlexNet only. {_how_to_fetch(name)}"
            )
        assign_torch(backbone, read_torch_state(path), path)
        return
    load_file(
        backbone,
        path,
        wanted=f"A Keras weights file of {name} without its top",
        way_out=_how_to_fetch(name),
    )


def load_file(model: keras.Model, path: Path, *, wanted: str, way_out: str) -> None:
    """Load a Keras weights file wholly, or not at all in silence.

    Args:
        model: to be filled.
        path: ``.weights.h5`` or ``.h5``.
        wanted: what the file should be, for the message.
        way_out: what to do otherwise, for the message.

    Raises:
        InputError: missing, damaged, of another network, or a weight would be left as
            it was.
    """
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that keep their random weights.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
        _check_finite(weight.numpy() for weight in model.weights)
    # A damaged HDF5 file raises whatever its libraries meet first.
    except Exception as error:
        first_line = (str(error).strip() or repr(error)).splitlines()[0]
        raise InputError(
            f"{wanted} was expected. Received: {path}: {first_line} {way_out}"
        ) from error


def _check_finite(weights: Iterable[np.ndarray]) -> None:
    if not all(np.isfinite(weight).all() for weight in weights):
        raise ValueError("a weight is NaN or infinite.")


def imagenet_file(name: str) -> Path:
    """The official file of a network out of Keras' cache, fetched when it is not there.

    Raises:
        InputError: it is not there and cannot be fetched; the message says which file,
            which checksum, and where to put it; or the file is damaged.
    """
    source = IMAGENET[name]
    if not source.path.is_file():
        try:
            keras.utils.get_file(source.file, source.url, cache_subdir="models")
        except Exception as error:
            raise InputError(
                f"The ImageNet weights of {name} were expected, in the cache or on the "
                f"network. Received: neither ({error}). {_how_to_fetch(name)}"
            ) from error
    found = _checksum(source.path, source)
    if not found.startswith(source.checksum):
        raise InputError(
            f"The ImageNet weights of {name} with checksum {source.checksum} were "
            f"expected. Received: {source.path} with {found}. Delete that file. "
            f"{_how_to_fetch(name)}"
        )
    return source.path


def _checksum(path: Path, source: Source) -> str:
    # Keras publishes an MD5, PyTorch the first digits of the SHA-256.
    algorithm = "md5" if len(source.checksum) == 32 else "sha256"
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _how_to_fetch(name: str) -> str:
    source = IMAGENET[name]
    kind = "MD5" if len(source.checksum) == 32 else "SHA-256 beginning"
    return (
        f"Fetch {source.url} ({kind} {source.checksum}) on a machine with a network "
        f"and put it at {source.path}, or set backbone.weights to the path of a file "
        "that you have, or to none to train from random weights."
    )


#: torchvision's features.N -> our layer.
_ALEXNET_LAYERS = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
    "classifier.6": "predictions",
}


def assign_torch(
    model: keras.Model, state: dict[str, np.ndarray], where: Path | str
) -> None:
    """Copy torchvision's AlexNet weights into our AlexNet, in place.

    Args:
        model: an AlexNet, with or without its top.
        state: torchvision names -> arrays; a partial file may lack the classifier.
        where: for the message.

    Raises:
        InputError: a layer of the model is not in the file, has another shape, or the
            file holds a name that no AlexNet has.
    """
    layers = {layer.name: layer for layer in model.layers}
    unknown = [k for k in state if k.rpartition(".")[0] not in _ALEXNET_LAYERS]
    wanted = {t: k for t, k in _ALEXNET_LAYERS.items() if k in layers}
    missing = [
        f"{prefix}.{kind}"
        for prefix in wanted
        for kind in ("weight", "bias")
        if f"{prefix}.{kind}" not in state
    ]
    if unknown or missing or not wanted:
        raise InputError(
            "torchvision's AlexNet weights for the layers "
            f"{', '.join(wanted.values()) or 'of AlexNet'} were expected. Received: "
            f"{where} without {missing or 'nothing'} and with unknown "
            f"{unknown or 'nothing'}. Take {IMAGENET['alexnet'].url}"
        )
    for prefix, name in wanted.items():
        kernel = _kernel_from_torch(state[f"{prefix}.weight"])
        found = [kernel, state[f"{prefix}.bias"]]
        shapes = [tuple(w.shape) for w in layers[name].weights]
        if [w.shape for w in found] != shapes:
            raise InputError(
                f"Weights of the shapes {shapes} were expected for {name}. Received: "
                f"{where} with {[w.shape for w in found]}. Is it another network?"
            )
        try:
            _check_finite(found)
        except ValueError as error:
            raise InputError(
                f"Finite weights were expected for {name}. Received: {where}: {error} "
                f"Take {IMAGENET['alexnet'].url}"
            ) from error
        layers[name].set_weights(found)


def _kernel_from_torch(weight: np.ndarray) -> np.ndarray:
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    if weight.ndim == 2 and weight.shape[1] == 256 * 6 * 6:
        # torch flattens the last feature map channel first, Keras channel last.
        weight = weight.reshape(-1, 256, 6, 6).transpose(0, 2, 3, 1)
        weight = weight.reshape(len(weight), -1)
    return weight.T
