"""The bytes of a picture, opened by Pillow, or the reason why not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gastric_keras.support.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

#: Most pixels that are decoded, unless the caller says otherwise.
MAX_PIXELS = 200_000_000
#: EXIF tag of the orientation; 1 is upright.
ORIENTATION = 0x0112
#: Pillow reads others too, by their first bytes; the served model does not.
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF")


class UnusableImage(InputError):
    """One picture cannot be used, and says nothing about the others.

    A run sets it aside with this message and goes on, unless it is strict.
    """


def open_bytes(data: bytes, name: str, max_pixels: int) -> Image.Image:
    """Open a picture; its pixels are not decoded yet.

    Args:
        data: bytes of the file.
        name: for the messages.
        max_pixels: most pixels that it may have.

    Raises:
        UnusableImage: not a picture, or too many pixels.
    """
    from PIL import Image

    # Pillow warns of large pictures by a limit of its own; ours stands below.
    Image.MAX_IMAGE_PIXELS = None
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Exception as error:
        raise unreadable(name, error) from error
    if picture.width * picture.height > max_pixels:
        raise UnusableImage(
            f"A picture must have at most {max_pixels} pixels, got path={name}, "
            f"size={picture.width}×{picture.height}. Cut it in parts, or raise "
            "max_pixels if the memory allows."
        )
    return picture


def load(picture: Image.Image, name: str) -> Image.Image:
    """Decode the pixels; UnusableImage where the bytes do not hold them."""
    try:
        picture.load()
    except Exception as error:
        raise unreadable(name, error) from error
    return picture


def unreadable(name: str, error: Exception) -> UnusableImage:
    """What to say of bytes that no decoder could read.

    Pillow fails with OSError, SyntaxError, ValueError, struct.error and more, all of
    them on account of the bytes.
    """
    # A message with a memory address would make two equal runs differ.
    reason = str(error).split("<_io.")[0].strip()
    return UnusableImage(
        "A picture must be a whole PNG, JPEG, BMP, TIFF or DICOM file, got "
        f"path={name} ({type(error).__name__}: {reason}). "
        "Save it again from its source."
    )
