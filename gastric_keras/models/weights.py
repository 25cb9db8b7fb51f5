"""ImageNet weights: where to get them and how to load them."""

from __future__ import annotations

import hashlib
import math
import warnings
from pathlib import Path

import keras
import numpy as np

from gastric_keras.config.backbones import BACKBONES, find_backbone
from gastric_keras.models.torch_files import read_torch_state
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import check_room


def load_weights(backbone: keras.Model, name: str, weights: str) -> None:
    """Fill a backbone with pre-trained weights, in place.

    Args:
        backbone: a network without its top, as its entry in the table builds it.
        name: of the entry.
        weights: ``imagenet``, ``none`` (leave it as it is) or the path of a file:
            Keras ``.h5``, or PyTorch ``.pth`` where the entry can assign it.

    Raises:
        InputError: no such file and none to be had, a damaged one, or one of another
            network.
    """
    if weights == "none":
        return
    if weights == "imagenet" and find_backbone(name).imagenet == "keras":
        _load_from_keras(backbone, name)
        return
    path = imagenet_file(name) if weights == "imagenet" else Path(weights)
    if not path.is_file():
        raise InputError(
            "weights must be imagenet, none, or the path of a weights file, got "
            f"{weights!r}. {_how_to_fetch(name)}"
        )
    if path.suffix in (".pth", ".pt"):
        assign_torch = find_backbone(name).assign_torch
        if assign_torch is None:
            able = [each.title for each in BACKBONES.values() if each.assign_torch]
            raise InputError(
                f"The weights of {name} must be a Keras file, got {path}, a PyTorch "
                f"file, which is read for {' and '.join(able)} only. "
                f"{_how_to_fetch(name)}"
            )
        assign_torch(backbone, read_torch_state(path), path)
        return
    load_file(
        backbone,
        path,
        wanted=f"a Keras weights file of {name} without its top",
        way_out=_how_to_fetch(name),
    )


def _load_from_keras(backbone: keras.Model, name: str) -> None:
    """What the constructor itself loads, from Keras' cache or the network."""
    try:
        full = find_backbone(name).build(
            include_top=False,
            weights="imagenet",
            input_shape=backbone.input_shape[1:],
            name=backbone.name,
        )
    # What fetching raises is Keras' affair.
    except Exception as error:
        raise InputError(
            f"The ImageNet weights of {name} must be in Keras' cache or on the "
            f"network, got neither ({error}). {_how_to_fetch(name)}"
        ) from error
    backbone.set_weights(full.get_weights())


def load_file(model: keras.Model, path: Path, *, wanted: str, way_out: str) -> None:
    """Load a Keras weights file; a partial load is an error.

    Args:
        model: to be filled.
        path: ``.weights.h5`` or ``.h5``.
        wanted: what the file should be, for the message.
        way_out: what to do otherwise, for the message.

    Raises:
        InputError: missing, damaged, of another network, or a weight would keep its
            old value.
    """
    try:
        with warnings.catch_warnings():
            # Keras only warns about layers that keep their random weights.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
        if not all(np.isfinite(weight.numpy()).all() for weight in model.weights):
            raise ValueError("a weight is NaN or infinite.")
    # A damaged HDF5 file can raise any exception.
    except Exception as error:
        first_line = (str(error).strip() or repr(error)).splitlines()[0]
        raise InputError(
            f"The file must be {wanted}, got {path}: {first_line} {way_out}"
        ) from error


def save_file(model: keras.Model, path: Path) -> None:
    """Save the weights of a model, and of its optimizer if it is compiled.

    HDF5 may take the process with it where a disk is full, so the room is looked for
    before the file is begun.

    Args:
        model: any.
        path: ``.weights.h5``, in a folder that exists; an older file is replaced.

    Raises:
        OSError: the disk lacks the room.
    """
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer else ())]
    numbers = sum(math.prod(variable.shape) for variable in variables)
    # The names and the tree of the file take the rest.
    check_room(path.parent, 4 * numbers + 1_000_000)
    model.save_weights(path, overwrite=True)


def imagenet_file(name: str) -> Path:
    """The official file of a network out of Keras' cache, fetched when it is not there.

    Raises:
        InputError: it is not there and cannot be fetched; the message says which file,
            which checksum, and where to put it; or the file is damaged.
    """
    source = find_backbone(name).imagenet
    if source is None or source == "keras":
        raise InputError(
            f"weights must be none, or the path of a weights file of {name}, which has "
            f"no ImageNet file, got 'imagenet'. {_how_to_fetch(name)}"
        )
    if not source.path.is_file():
        try:
            keras.utils.get_file(source.file, source.url, cache_subdir="models")
        except Exception as error:
            raise InputError(
                f"The ImageNet weights of {name} must be in the cache or on the "
                f"network, got neither ({error}). {_how_to_fetch(name)}"
            ) from error
    with open(source.path, "rb") as stream:
        found = hashlib.file_digest(stream, source.algorithm).hexdigest()
    if not found.startswith(source.checksum):
        raise InputError(
            f"The ImageNet weights of {name} must have the checksum {source.checksum}, "
            f"got {source.path} with {found}. Delete that file. {_how_to_fetch(name)}"
        )
    return source.path


def _how_to_fetch(name: str) -> str:
    source = find_backbone(name).imagenet
    if source is None:
        return "Set backbone.weights to a file that you have, or to none."
    if source == "keras":
        return (
            f"Run keras.applications.{find_backbone(name).title}(include_top=False) "
            "on a machine with a network and copy its ~/.keras/models, or set "
            "backbone.weights to a file that you have, or to none."
        )
    kind = "MD5" if source.algorithm == "md5" else "SHA-256 beginning"
    return (
        f"Fetch {source.url} ({kind} {source.checksum}) on a machine with a network "
        f"and put it at {source.path}, or set backbone.weights to the path of a file "
        "that you have, or to none to train from random weights."
    )
