"""TIFF forms that Pillow gets wrong, decoded by libtiff in its own words.

Pillow reads all others: it turns them upright, keeps unassociated transparency, tells
a file that is cut short and needs no TensorFlow.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging import native
from gastric_keras.imaging.pillow import ORIENTATION, unreadable

if TYPE_CHECKING:
    from PIL import Image

#: Tags: how the samples are stored, and what they mean.
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR = 258, 259, 262, 277, 284
_SUBSAMPLING = 530
_RGB, _YCBCR = 2, 6
#: Offsets and lengths of the strips or tiles.
_PARTS = ((273, 324), (279, 325))


def is_odd(picture: Image.Image) -> bool:
    """Whether a picture is a TIFF of one of the two forms that Pillow gets wrong.

    16 bits in planes: Pillow takes the bytes of one plane for 8-bit pixels. YCbCr
    without compression, in blocks of one color for several pixels: Pillow takes it as
    cut short.
    """
    if picture.format != "TIFF":
        return False
    tags = _tags(picture)
    is_planar_16 = tags.get(_PLANAR) == 2 and 16 in tags.get(_BITS, ())
    is_raw_ycbcr = tags.get(_PHOTOMETRIC) == _YCBCR and tags.get(_COMPRESSION) == 1
    is_subsampled = tags.get(_SUBSAMPLING, (2, 2)) != (1, 1)
    return (is_planar_16 and tags.get(_SAMPLES) == 3) or (
        is_raw_ycbcr and is_subsampled
    )


def decode_odd(picture: Image.Image, data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode a TIFF of these forms.

    tensorflow-io decodes it; where that does not load or fails, OpenCV, which holds the
    same libtiff; tifffile what OpenCV's was built without. All three give the same
    pixels.

    Args:
        picture: as Pillow opened it.
        data: bytes of the file.
        name: stands in the errors.

    Returns:
        (H, W, 3) uint8, RGB; 16 bits are divided by 257 and rounded, as libtiff does.

    Raises:
        UnusableImage: cut short, not upright, or no decoder knows it.
    """
    tags = _tags(picture)
    offsets, counts = ([*tags.get(a, ()), *tags.get(b, ())] for a, b in _PARTS)
    ends = [start + length for start, length in zip(offsets, counts)]
    # tensorflow-io turns nothing, fills what it cannot read with zeros, and says
    # nothing.
    if tags.get(ORIENTATION, 1) != 1 or not ends or max(ends) > len(data):
        raise unreadable(name, ValueError("cut short, or not upright"))
    first: Exception | None = None
    for decode in (_by_tensorflow, _by_opencv, _by_tifffile):
        try:
            return decode(data)
        except Exception as error:
            if not isinstance(error, ImportError):
                first = first or error
    assert first is not None, "OpenCV is always there"
    raise unreadable(name, first) from first


def _tags(picture: Image.Image) -> Any:
    return picture.tag_v2  # type: ignore[attr-defined]


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
