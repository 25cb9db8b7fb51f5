"""Many patches in one picture."""

from __future__ import annotations

import math

import numpy as np

#: Of cells that no patch fills.
WHITE = 255


def join_patches(patches: np.ndarray, *, columns: int, gap: int = 0) -> np.ndarray:
    """Patches side by side, row after row.

    Args:
        patches: (n, h, w, 3) uint8, n ≥ 1.
        columns: patches a row.
        gap: px of white between neighbors.

    Returns:
        (H, W, 3) uint8; white where the last row is not full.
    """
    n, height, width, channels = patches.shape
    rows = math.ceil(n / columns)
    cell = (height + gap, width + gap)
    picture = np.full((rows * cell[0], columns * cell[1], channels), WHITE, np.uint8)
    for place, patch in enumerate(patches):
        row, column = divmod(place, columns)
        top, left = row * cell[0], column * cell[1]
        picture[top : top + height, left : left + width] = patch
    return picture[: picture.shape[0] - gap, : picture.shape[1] - gap]
