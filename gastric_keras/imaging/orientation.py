"""EXIF orientation: where a file stores it, and how pixels are turned by it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

#: EXIF tag of the orientation; 1 is upright.
TAG = 0x0112
#: Fields that hold it: BYTE, SHORT and LONG.
_KINDS = (1, 3, 4)
_BIG_ENDIAN_BYTE = {1: 8, 3: 9, 4: 11}
#: In XMP, which Pillow obeys and TensorFlow, QuPath and browsers do not.
XMP = rb'tiff:Orientation(?:="|>)[2-8]'
#: Name of the text in which ImageMagick 6 hides EXIF in a PNG, deflated and in hex.
RAW_PROFILE = rb"Raw profile type (?:exif|EXIF|app1|APP1)"


def find_in_exif(exif: bytes) -> int | None:
    """The orientation that the first directory of EXIF states.

    :func:`gastric_keras.serving.pixels.orientation_of` does the same in a graph.

    Args:
        exif: from its byte order mark on.

    Returns:
        1 to 8; None where it is not there or none of these.
    """
    # Some writers of PNG keep the mark that JPEG has before it.
    exif = exif.removeprefix(b"Exif\0\0")
    is_little = exif[:4] == b"II*\0"
    if not is_little and exif[:4] != b"MM\0*":
        return None

    def number(start: int, size: int) -> int:
        part = exif[start : start + size]
        return int.from_bytes(part, "little" if is_little else "big")

    start = number(4, 4)
    entries = exif[start + 2 : start + 2 + 12 * number(start, 2)]
    for place in range(start + 2, start + 2 + len(entries) // 12 * 12, 12):
        kind = number(place + 2, 2)
        if number(place, 2) == TAG and kind in _KINDS:
            value = exif[place + (8 if is_little else _BIG_ENDIAN_BYTE[kind])]
            return value if 1 <= value <= 8 else None
    return None


def has_xmp_only(header: bytes, found: int | None) -> bool:
    """Whether XMP alone says that a picture is not upright."""
    return found is None and re.search(XMP, header) is not None


def turn_upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Turn stored pixels, or a map of them, as EXIF says.

    Args:
        pixels: (H, W, …).
        orientation: 1 to 8.

    Returns:
        (H, W, …), or (W, H, …) where orientation is 5 or more.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
