"""Views of pictures that are smaller than the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.images import over_white


def scaled(length: int, factor: float) -> int:
    """A length in px, shrunk by a factor; at least 1."""
    return max(1, round(length / factor))


def overview_shape(shape: tuple[int, int], max_side: int) -> tuple[int, int]:
    """(h, w) of a picture of (H, W) whose longer side may have max_side px."""
    factor = max(1.0, max(shape) / max_side)
    return scaled(shape[0], factor), scaled(shape[1], factor)


def shrink(
    pixels: npt.NDArray[np.uint8], shape: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Shrink (H, W) or (H, W, C) uint8 by the mean of areas to a shape of (h, w)."""
    import cv2

    if pixels.shape[:2] == shape:
        return pixels
    shrunk = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def to_rgb(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB of (H, W, 4) RGBA, laid over white where it is transparent."""
    import cv2

    if rgba[..., 3].min() == 255:
        # Ten times as fast as a copy of rgba[..., :3].
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
    return over_white(rgba)
