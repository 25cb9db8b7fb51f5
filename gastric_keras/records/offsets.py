"""Where the records of a shard lie, so that one can be read without the others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gastric_keras.support.errors import require

#: Around the bytes of a record: its length (8) and the checksums of both (4 + 4).
_LENGTH, _AROUND = 8, 16


def record_offsets(path: Path | str) -> npt.NDArray[np.int64]:
    """Byte at which each record of a TFRecord file begins, in the order of the file.

    Reads eight bytes a record, its length, and steps over the rest.

    Args:
        path: of an uncompressed TFRecord file.

    Returns:
        (N,) offsets.

    Raises:
        InputError: the lengths do not add up to the file.
    """
    offsets: list[int] = []
    with open(path, "rb", buffering=0) as stream:
        size, place = os.fstat(stream.fileno()).st_size, 0
        while place < size:
            offsets.append(place)
            length = os.pread(stream.fileno(), _LENGTH, place)
            place += _AROUND + int.from_bytes(length, "little")
    require(
        place == size,
        "The records of a shard must end where the file ends",
        "Copy the set again, or make it again with data_prep.",
        path=str(path),
        end=place,
        size=size,
    )
    return np.array(offsets, np.int64)
