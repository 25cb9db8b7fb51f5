"""PyTorch state dicts written byte by byte, so that no test needs PyTorch."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np


def write_state(path: Path, state: dict[str, np.ndarray]) -> Path:
    """Write what ``torch.save(model.state_dict(), path)`` writes, _metadata and all.

    Args:
        path: of the file.
        state: name -> float32 array.
    """
    items = b"".join(
        _text(name) + _tensor(str(key), array)
        for key, (name, array) in enumerate(state.items())
    )
    metadata = b"}" + _text("_metadata") + _ORDERED_DICT + b"sb"
    pickled = b"\x80\x02" + _ORDERED_DICT + b"(" + items + b"u" + metadata + b"."
    storages = {str(key): array.tobytes() for key, array in enumerate(state.values())}
    return write_zip(path, pickled, storages)


def write_zip(path: Path, pickled: bytes, storages: dict[str, bytes]) -> Path:
    """The layout of PyTorch 1.6 and later: data.pkl, and one file a storage."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/data.pkl", pickled)
        for key, data in storages.items():
            archive.writestr(f"{path.stem}/data/{key}", data)
    return path


_ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def _tensor(key: str, array: np.ndarray) -> bytes:
    storage = (
        b"("
        + _text("storage")
        + b"ctorch\nFloatStorage\n"
        + _text(key)
        + _text("cpu")
        + b"J"
        + struct.pack("<i", array.size)
        + b"tQ"
    )
    strides = tuple(stride // array.itemsize for stride in array.strides)
    arguments = storage + b"K\x00" + _numbers(array.shape) + _numbers(strides)
    # requires_grad and the hooks, as torch writes them.
    arguments += b"\x89" + _ORDERED_DICT
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"
