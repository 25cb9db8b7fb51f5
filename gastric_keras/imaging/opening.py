"""The bytes of a picture opened by Pillow, within a limit of pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gastric_keras.imaging.unusable import UnusableImage, unreadable

if TYPE_CHECKING:
    from PIL import Image

#: All others, which Pillow tells by their first bytes, the served model cannot read.
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF")


def open_image(
    data: bytes, *, name: str, max_pixels: int, page: int = 0
) -> Image.Image:
    """Read the header of a picture.

    Args:
        data: the file.
        name: for the messages.
        max_pixels: most pixels that are decoded.
        page: of a TIFF with several.

    Raises:
        UnusableImage: no picture, or too large.
    """
    from PIL import Image

    # Pillow warns of large pictures by a limit of its own; ours stands below.
    Image.MAX_IMAGE_PIXELS = None
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        if page:
            picture.seek(page)
    except Exception as error:
        raise unreadable(name, error) from error
    if picture.width * picture.height > max_pixels:
        raise UnusableImage(
            f"A picture must have at most {max_pixels} pixels, got path={name}, "
            f"size={picture.width}×{picture.height}. Cut it in parts, or raise "
            "max_pixels if the memory allows."
        )
    return picture


def load(picture: Image.Image, *, name: str) -> Image.Image:
    """Decode its pixels.

    Raises:
        UnusableImage: it is cut short or damaged.
    """
    try:
        picture.load()
    except Exception as error:
        raise unreadable(name, error) from error
    return picture
