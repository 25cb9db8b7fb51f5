"""What the values of a picture mean: every mode of Pillow as RGB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.pillow import UnusableImage, load

if TYPE_CHECKING:
    from PIL import Image

#: Pixels that are converted at a time.
_BAND_PIXELS = 2**20
_COLOR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


def rgb_of(picture: Image.Image, name: str) -> npt.NDArray[np.uint8]:
    """The pixels of a picture, upright and in color.

    Args:
        picture: as Pillow opened it.
        name: stands in the errors.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UnusableImage: cut short, or CMYK, floating-point or other colors.
    """
    if picture.mode.startswith("I;16") or (
        picture.mode == "I" and picture.format == "PNG"
    ):
        grey = np.asarray(load(picture, name)).astype(np.int64) >> 8
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if picture.mode not in _COLOR_MODES:
        raise UnusableImage(
            "A picture in RGB or grey, 8 or 16 bits, was expected. Received: "
            f"path={name}, mode={picture.mode}. Convert it to RGB."
        )
    from PIL import ImageOps

    picture = ImageOps.exif_transpose(load(picture, name))
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        return over_white(np.asarray(picture.convert("RGBA")))
    return np.array(picture.convert("RGB"))


def over_white(rgba: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA to (H, W, 3) uint8 RGB, laid over white."""
    rgb = np.empty((*rgba.shape[:2], 3), np.uint8)
    for rows in bands(*rgba.shape[:2]):
        band = rgba[rows]
        alpha = band[..., 3:].astype(np.float32) / 255
        rgb[rows] = np.rint(band[..., :3] * alpha + 255 * (1 - alpha))
    return rgb


def bands(height: int, width: int) -> Iterator[slice]:
    """Rows of a picture, some at a time.

    As floats, a large picture would take twenty times its bytes.
    """
    rows = max(1, _BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, top + rows)
