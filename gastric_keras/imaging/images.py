"""Pictures in and out: PNG, JPEG, BMP, TIFF and DICOM as RGB uint8."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging import tiff
from gastric_keras.imaging.colors import rgb_of
from gastric_keras.imaging.dicom import decode_dicom, is_dicom
from gastric_keras.imaging.pillow import (
    MAX_PIXELS,
    ORIENTATION,
    UnusableImage,
    load,
    open_bytes,
)
from gastric_keras.support.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm")


def read_image(
    path: Path | str, *, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Read a picture upright, in color.

    The EXIF orientation is applied, grey becomes three equal channels, transparent
    pixels become white as bare glass is, and 16 bits keep their upper 8.

    Args:
        path: a PNG, JPEG, BMP or TIFF file, or a DICOM file of one frame.
        max_pixels: most pixels that are decoded.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UnusableImage: not such a file, cut short, several pages, CMYK or
            floating-point colors, or too many pixels.
    """
    return decode_image(read_bytes(path), name=str(path), max_pixels=max_pixels)


def decode_image(
    data: bytes, *, name: str, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Decode the bytes of a picture; ``name`` stands in the errors.

    See :func:`read_image`.
    """
    if is_dicom(data):
        try:
            return decode_dicom(data, name=name, max_pixels=max_pixels)
        except InputError as error:
            raise UnusableImage(str(error)) from error
    picture = open_bytes(data, name, max_pixels)
    if tiff.is_odd(picture):
        return tiff.decode_odd(picture, data, name)
    return rgb_of(picture, name)


def read_labels(
    path: Path | str, *, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.int64]:
    """Read a label mask: a picture of one channel whose values are labels.

    Args:
        path: a PNG, BMP or TIFF file, 8 or 16 bits or palette, or RGB with three
            equal channels.
        max_pixels: most pixels that are decoded.

    Returns:
        (H, W) int64, the values as stored (of a palette: the index).

    Raises:
        UnusableImage: unreadable, or colors that are no labels.
    """
    picture = load(open_bytes(read_bytes(path), str(path), max_pixels), str(path))
    values = np.asarray(picture)
    if values.ndim == 3 and (values[..., :3] == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise UnusableImage(
            "A label mask of one channel was expected. Received: "
            f"path={path}, mode={picture.mode}. Save the labels as a grey PNG."
        )
    return values.astype(np.int64)


def is_stored_as_is(data: bytes) -> bool:
    """Whether bytes are an upright 8-bit RGB PNG or JPEG that any decoder reads alike.

    Such bytes go into the records unchanged, so that nothing is lost twice.
    """
    if is_dicom(data):
        return False
    # Decoded before, so that the limit has had its say.
    picture = open_bytes(data, "picture", sys.maxsize)
    return (
        picture.format in ("PNG", "JPEG")
        and picture.mode == "RGB"
        and "transparency" not in picture.info
        and (picture.format != "PNG" or _is_plain_png(data))
        and picture.getexif().get(ORIENTATION, 1) == 1
    )


def _is_plain_png(data: bytes) -> bool:
    # Pillow shows 16-bit color PNG as RGB; the depth is byte 24 of the header.
    if data[24] != 8:
        return False
    # Pillow overlooks wrong checksums behind the pixels, and TensorFlow does not.
    start = 8
    while (end := start + 12 + int.from_bytes(data[start : start + 4], "big")) <= len(
        data
    ):
        if zlib.crc32(data[start + 4 : end - 4]).to_bytes(4, "big") != (
            data[end - 4 : end]
        ):
            return False
        if data[start + 4 : start + 8] == b"IEND":
            return True
        start = end
    return False


def encode_png(image: npt.NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 RGB to PNG bytes; equal pixels, equal bytes."""
    import cv2

    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def resize(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Square (H, W, 3) uint8 to (size, size, 3): area means down, cubic up."""
    import cv2

    if image.shape[:2] == (size, size):
        return image
    method = cv2.INTER_AREA if size < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size, size), interpolation=method), np.uint8)


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a picture; UnusableImage where there is no such file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnusableImage(
            f"A picture was expected. Received: path={path} ({error.strerror}). "
            "Check the path."
        ) from error
