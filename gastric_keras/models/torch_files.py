"""PyTorch state dicts, read without PyTorch and without running what they say."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

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

    Args:
        path: a ``.pth`` file.

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
            "A PyTorch state dict in zip layout, tensors only, was expected. "
            f"Received: {path}: {error}. Take the official torchvision file."
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray)
        for name, value in state.items()
    ):
        raise InputError(
            "A PyTorch state dict of tensors was expected. "
            f"Received: {path}, which holds {type(state).__name__}. Save it with "
            "torch.save(model.state_dict(), path)."
        )
    return state
