"""Pictures in and out: PNG, JPEG, BMP, TIFF and DICOM as RGB uint8."""

from __future__ import annotations

import io
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.dicom import decode_dicom, is_dicom
from gastric_keras.support.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm")
MAX_PIXELS = 200_000_000
#: Pixels that are laid over white at a time.
_BAND_PIXELS = 2**20

#: EXIF tag of the orientation; 1 is upright.
_ORIENTATION = 0x0112
#: Tags of TIFF: how the samples are stored, and what they mean.
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR = 258, 259, 262, 277, 284
_SUBSAMPLING = 530
#: Offsets and lengths of the strips or tiles.
_PARTS = ((273, 324), (279, 325))
_COLOR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


class UnusableImage(InputError):
    """One picture cannot be used, and says nothing about the others.

    A run sets it aside with this message and goes on, unless it is strict.
    """


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
    picture = _open(data, name, max_pixels)
    if _is_odd_tiff(picture):
        return _decode_tiff(picture, data, name)
    if picture.mode.startswith("I;16") or (
        picture.mode == "I" and picture.format == "PNG"
    ):
        grey = np.asarray(_load(picture, name)).astype(np.int64) >> 8
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if picture.mode not in _COLOR_MODES:
        raise UnusableImage(
            "A picture in RGB or grey, 8 or 16 bits, was expected. Received: "
            f"path={name}, mode={picture.mode}. Convert it to RGB."
        )
    from PIL import ImageOps

    picture = ImageOps.exif_transpose(_load(picture, name))
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        return over_white(np.asarray(picture.convert("RGBA")))
    return np.array(picture.convert("RGB"))


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
    picture = _load(_open(read_bytes(path), str(path), max_pixels), str(path))
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
    picture = _open(data, "picture", sys.maxsize)
    return (
        picture.format in ("PNG", "JPEG")
        and picture.mode == "RGB"
        and "transparency" not in picture.info
        and (picture.format != "PNG" or _is_plain_png(data))
        and picture.getexif().get(_ORIENTATION, 1) == 1
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


def over_white(rgba: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA to (H, W, 3) uint8 RGB, laid over white."""
    rgb = np.empty((*rgba.shape[:2], 3), np.uint8)
    # In bands: as floats, a large picture would take twenty times its bytes.
    rows = max(1, _BAND_PIXELS // max(1, rgba.shape[1]))
    for top in range(0, len(rgba), rows):
        band = rgba[top : top + rows]
        alpha = band[..., 3:].astype(np.float32) / 255
        rgb[top : top + rows] = np.rint(band[..., :3] * alpha + 255 * (1 - alpha))
    return rgb


def _open(data: bytes, name: str, max_pixels: int) -> Image.Image:
    from PIL import Image

    # Pillow warns of large pictures by a limit of its own; ours stands below.
    Image.MAX_IMAGE_PIXELS = None
    try:
        picture = Image.open(io.BytesIO(data))
        pages = getattr(picture, "n_frames", 1)
    except Exception as error:
        raise _unreadable(name, error) from error
    if pages > 1:
        raise UnusableImage(
            f"A picture of one page was expected. Received: path={name}, "
            f"pages={pages}. Save the page you want as a file of its own; of a slide, "
            "install the slides extra: pip install -c constraints.txt -e '.[slides]'."
        )
    if picture.width * picture.height > max_pixels:
        raise UnusableImage(
            f"A picture of at most {max_pixels} pixels was expected. Received: "
            f"path={name}, size={picture.width}×{picture.height}. Cut it in parts, "
            "or raise max_pixels if the memory allows."
        )
    return picture


def _load(picture: Image.Image, name: str) -> Image.Image:
    try:
        picture.load()
    except Exception as error:
        raise _unreadable(name, error) from error
    return picture


def _is_odd_tiff(picture: Image.Image) -> bool:
    """Whether a TIFF is of the two forms that Pillow gets wrong.

    Pillow reads all others: it turns them upright, keeps unassociated transparency,
    tells a file that is cut short and needs no TensorFlow. tensorflow-io does none of
    these: it fills what it cannot read with zeros, and says nothing.
    """
    if picture.format != "TIFF":
        return False
    tags = picture.tag_v2  # type: ignore[attr-defined]
    is_planar_16 = tags.get(_PLANAR) == 2 and 16 in tags.get(_BITS, ())
    # Stored in blocks of one color for several pixels, which Pillow takes as cut short.
    is_raw_ycbcr = tags.get(_PHOTOMETRIC) == 6 and tags.get(_COMPRESSION) == 1
    is_subsampled = tags.get(_SUBSAMPLING, (2, 2)) != (1, 1)
    return (is_planar_16 and tags.get(_SAMPLES) == 3) or (
        is_raw_ycbcr and is_subsampled
    )


def _decode_tiff(picture: Image.Image, data: bytes, name: str) -> npt.NDArray[np.uint8]:
    tags = picture.tag_v2  # type: ignore[attr-defined]
    offsets, counts = ([*tags.get(a, ()), *tags.get(b, ())] for a, b in _PARTS)
    ends = [start + length for start, length in zip(offsets, counts)]
    try:
        if tags.get(_ORIENTATION, 1) != 1 or not ends or max(ends) > len(data):
            raise ValueError("cut short, or not upright")
        import tensorflow_io as tfio

        return tfio.experimental.image.decode_tiff(data).numpy()[..., :3]
    except Exception as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> UnusableImage:
    # Pillow fails with OSError, SyntaxError, ValueError, struct.error and more, all
    # of them on account of the bytes.
    return UnusableImage(
        "A whole PNG, JPEG, BMP, TIFF or DICOM file was expected. Received: "
        f"path={name} ({type(error).__name__}: {_without_address(error)}). "
        "Save it again from its source."
    )


def _without_address(error: Exception) -> str:
    # A message with a memory address would make two equal runs differ.
    return str(error).split("<_io.")[0].strip()
