"""TIFF forms that Pillow gets wrong, decoded by libtiff."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging import native
from gastric_keras.imaging.pillow import unreadable

#: Photometric of RGB.
_RGB = 2


def decode_odd(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode a TIFF of 16 bits in planes, or of YCbCr without compression.

    tensorflow-io decodes it; where that does not load or fails, OpenCV, which holds the
    same libtiff; tifffile what OpenCV's was built without. All three give the same
    pixels.

    Args:
        data: the file, whole: tensorflow-io fills what it cannot read with zeros, and
            says nothing. Of one page, and upright: it turns nothing.
        name: for the message.

    Returns:
        (H, W, 3) uint8, RGB; 16 bits are divided by 257 and rounded, as libtiff does.

    Raises:
        UnusableImage: no decoder knows it.
    """
    first: Exception | None = None
    for decode in (_by_tensorflow, _by_opencv, _by_tifffile):
        try:
            return decode(data)
        except Exception as error:
            if not isinstance(error, ImportError):
                first = first or error
    assert first is not None, "OpenCV is always there"
    raise unreadable(name, first) from first


def _by_tensorflow(data: bytes) -> npt.NDArray[np.uint8]:
    tfio = native.tensorflow_io()
    return tfio.experimental.image.decode_tiff(data).numpy()[..., :3]


def _by_opencv(data: bytes) -> npt.NDArray[np.uint8]:
    import cv2

    # OpenCV prints what it cannot read, and then returns nothing. Version 5 keeps the
    # switch elsewhere.
    switch: Any = cv2 if hasattr(cv2, "setLogLevel") else getattr(cv2.utils, "logging")
    level = switch.setLogLevel(0)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    finally:
        switch.setLogLevel(level)
    if image is None:
        raise ValueError("a TIFF that libtiff cannot decode")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _by_tifffile(data: bytes) -> npt.NDArray[np.uint8]:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        planes = page.asarray()
    if page.photometric != _RGB or planes.dtype != np.uint16 or len(planes) != 3:
        raise ValueError("not RGB in planes of 16 bits")
    # libtiff's rounding (BuildMapBitdepth16To8 in tif_getimage.c).
    rounded = (planes.astype(np.uint32) + 128) // 257
    return np.moveaxis(rounded, 0, -1).astype(np.uint8)
