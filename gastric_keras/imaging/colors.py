"""Transparency over white, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

#: Pixels that are converted at a time.
_BAND_PIXELS = 2**20


def over_white(rgba: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA to (H, W, 3) uint8 RGB, laid over white."""
    rgb = np.empty((*rgba.shape[:2], 3), np.uint8)
    for rows in bands(*rgba.shape[:2]):
        band = rgba[rows].astype(np.uint16)
        alpha = band[..., 3:]
        # At most 255² + 127, which 16 bits hold; rounded to the nearest.
        rgb[rows] = (band[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return rgb


def bands(height: int, width: int) -> Iterator[slice]:
    """Rows of a picture, some at a time: all at once would take several times its
    bytes."""
    rows = max(1, _BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, top + rows)
