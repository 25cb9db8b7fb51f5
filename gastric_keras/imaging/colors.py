"""Transparency laid over white, and pictures in bands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.stored import ALPHA_IGNORED, OVER_WHITE

#: Pixels that are converted at a time.
_BAND_PIXELS = 2**20


def without_alpha(
    rgba: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """(H, W, 4) uint8 RGBA to RGB over white; an alpha that hides all is not used.

    :func:`gastric_keras.serving.pixels.without_alpha` does the same in a graph.

    Returns:
        (H, W, 3) uint8, and what was assumed.
    """
    least, most = int(rgba[..., 3].min(initial=255)), int(rgba[..., 3].max(initial=0))
    if least == 255:
        return np.ascontiguousarray(rgba[..., :3]), ()
    if most == 0:
        return np.ascontiguousarray(rgba[..., :3]), (ALPHA_IGNORED,)
    return over_white(rgba), (OVER_WHITE,)


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
    """Rows of a picture, some at a time.

    As wider numbers, a large picture would take many times its bytes.
    """
    rows = max(1, _BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, top + rows)
