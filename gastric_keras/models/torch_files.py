"""PyTorch state dicts, read without PyTorch and without running what they say; and
the AlexNet of torchvision in ours."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gastric_keras.config.backbones import TORCHVISION_ALEXNET
from gastric_keras.support.errors import InputError

_STORAGE_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
}


class _StateReader(pickle.Unpickler):
    """Unpickles a state dict of plain tensors; any other global is refused."""

    def __init__(self, data: bytes, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(io.BytesIO(data))
        self._archive, self._prefix = archive, prefix

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            # Not dict: torch hangs _metadata on it as an attribute.
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise pickle.UnpicklingError(
            f"it asks for {module}.{name}, which is not allowed"
        )

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, dtype, key, _, numel = pid
        data = _stored(self._archive, f"{self._prefix}/data/{key}")
        array = np.frombuffer(data, dtype)
        if array.size != numel:
            raise pickle.UnpicklingError(f"storage {key} is cut short")
        return array


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    # PyTorch never compresses: what is, may be a few bytes that fill the memory.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise pickle.UnpicklingError(f"{name} is compressed")
    return archive.read(name)


def _rebuild_tensor(
    storage: np.ndarray, offset: int, shape: tuple, stride: tuple, *_: Any
) -> np.ndarray:
    size = int(np.prod(shape, dtype=np.int64))
    flat = storage[offset : offset + size]
    # numpy's own bounds check: a stride that leaves the storage must not be followed.
    expected = tuple(np.cumprod((1, *shape[:0:-1]))[::-1])[: len(shape)]
    if flat.size != size or tuple(stride) != expected:
        raise pickle.UnpicklingError("a tensor is not contiguous in its storage")
    return flat.reshape(shape)


def read_torch_state(path: Path | str) -> dict[str, np.ndarray]:
    """Read a PyTorch state dict (zip layout, PyTorch 1.6 or later) without PyTorch.

    Only ``OrderedDict``, ``_rebuild_tensor_v2`` and plain storages are let through: a
    pickle that names anything else is refused before it can run.

    Returns:
        name -> array, shapes as in PyTorch (convolutions OIHW).

    Raises:
        InputError: not such a file, or one that asks for anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [n for n in archive.namelist() if n.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise pickle.UnpicklingError("there is no data.pkl in it")
            prefix = pickles[0].removesuffix("/data.pkl")
            state = _StateReader(_stored(archive, pickles[0]), archive, prefix).load()
    # A hostile pickle can raise anything from inside the unpickler.
    except Exception as error:
        raise InputError(
            "The file must be a PyTorch state dict in zip layout, tensors only, got "
            f"{path}: {error}. Take the official torchvision file."
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray)
        for name, value in state.items()
    ):
        raise InputError(
            f"The file must hold a PyTorch state dict of tensors, got {path}, which "
            f"holds {type(state).__name__}. Save it with "
            "torch.save(model.state_dict(), path)."
        )
    return state


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
            "The file must hold torchvision's AlexNet weights for the layers "
            f"{', '.join(wanted.values()) or 'of AlexNet'}, got {where} without "
            f"{missing or 'nothing'} and with unknown {unknown or 'nothing'}. "
            f"Take {TORCHVISION_ALEXNET.url}"
        )
    for prefix, name in wanted.items():
        kernel = _kernel_from_torch(state[f"{prefix}.weight"])
        found = [kernel, state[f"{prefix}.bias"]]
        shapes = [tuple(w.shape) for w in layers[name].weights]
        if [w.shape for w in found] != shapes:
            raise InputError(
                f"The weights of {name} must have the shapes {shapes}, got {where} "
                f"with {[w.shape for w in found]}. Take the file of this network."
            )
        if not all(np.isfinite(weight).all() for weight in found):
            raise InputError(
                f"The weights of {name} must be finite, got {where} with a NaN or "
                f"infinite weight. Take {TORCHVISION_ALEXNET.url}"
            )
        layers[name].set_weights(found)


def _kernel_from_torch(weight: np.ndarray) -> np.ndarray:
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    if weight.ndim == 2 and weight.shape[1] == 256 * 6 * 6:
        # torch flattens the last feature map channel first, Keras channel last.
        weight = weight.reshape(-1, 256, 6, 6).transpose(0, 2, 3, 1)
        weight = weight.reshape(len(weight), -1)
    return weight.T
