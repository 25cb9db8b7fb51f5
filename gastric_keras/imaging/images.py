"""Pictures in and out: PNG, JPEG, BMP, TIFF and DICOM as RGB uint8."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.colors import without_alpha
from gastric_keras.imaging.deep_samples import is_nearly_black, to_8_bits
from gastric_keras.imaging.dicom import decode_dicom, is_dicom
from gastric_keras.imaging.headers import (
    has_right_checksums,
    read_jpeg_header,
    read_png_header,
)
from gastric_keras.imaging.orientation import turn_upright
from gastric_keras.imaging.pillow import MAX_PIXELS, UnusableImage, load, open_bytes
from gastric_keras.imaging.stored import (
    DARK,
    FIRST_OF_SEVERAL,
    GAMMA_IGNORED,
    NEARLY_BLACK,
    TURNED,
    Stored,
    of_profile,
)
from gastric_keras.imaging.tiff import decode_tiff, is_tiff
from gastric_keras.support.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm")

_COLOR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


@dataclass(frozen=True)
class Decoded:
    """A picture as it is used.

    Attributes:
        pixels: (H, W, 3) uint8, RGB, upright.
        orientation: 1 to 8: how EXIF said to turn what the file stores; 1 is upright.
        notes: what was assumed, see ``stored``.
    """

    pixels: npt.NDArray[np.uint8]
    orientation: int = 1
    notes: tuple[str, ...] = ()


def read_image(
    path: Path | str, *, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Read a picture upright, in color.

    The EXIF orientation is applied. Gray becomes three equal channels. Transparent
    pixels become white as bare glass is; an alpha channel that hides the whole
    picture is not meant, and is not used. 16 bits keep their upper 8, fewer are
    scaled by the depth that the file states. Color profiles are not applied.

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
    """Decode the bytes of a picture; errors name it ``name``.

    See :func:`read_image`.
    """
    return decode(data, name=name, max_pixels=max_pixels).pixels


def decode(data: bytes, *, name: str, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode the bytes of a picture, and tell what was assumed.

    See :func:`read_image`.
    """
    if is_dicom(data):
        try:
            stored = decode_dicom(data, name=name, max_pixels=max_pixels)
        except InputError as error:
            raise UnusableImage(str(error)) from error
    elif is_tiff(data):
        stored = decode_tiff(data, name=name, max_pixels=max_pixels)
    else:
        stored = _decode_plain(data, name, max_pixels)
    pixels, notes = stored.values, stored.notes
    if pixels.shape[2] == 4:
        pixels, said = without_alpha(pixels)
        notes += said
    if stored.orientation != 1:
        pixels = turn_upright(pixels, stored.orientation)
        notes += (TURNED,)
    if NEARLY_BLACK not in notes and is_nearly_black(pixels, 8):
        notes += (DARK,)
    return Decoded(pixels, stored.orientation, notes)


def _decode_plain(data: bytes, name: str, max_pixels: int) -> Stored:
    """PNG, JPEG or BMP."""
    picture = open_bytes(data, name, max_pixels)
    notes: tuple[str, ...] = ()
    orientation, is_deep = 1, False
    if picture.format == "PNG":
        png = read_png_header(data, name=name)
        orientation, is_deep = png.orientation, png.depth == 16
        notes += (GAMMA_IGNORED,) if png.has_other_colors else ()
        load(picture, name)
        if png.depth == 16 and picture.mode.startswith("I"):
            return _deep_gray(picture, orientation, notes)
        if png.has_transparent_color and png.depth in (2, 4) and picture.mode == "L":
            # Pillow scales the samples, and not the one that is transparent.
            picture.info["transparency"] *= 255 // (2**png.depth - 1)
    elif picture.format in ("JPEG", "MPO"):
        orientation = read_jpeg_header(data, name=name).orientation
        if picture.format == "MPO":
            notes += (FIRST_OF_SEVERAL,)
    load(picture, name)
    if picture.mode not in _COLOR_MODES:
        raise UnusableImage(
            f"A picture must be RGB or gray, got path={name}, mode={picture.mode}. "
            "Convert it to RGB, by its color profile where it has one."
        )
    notes += of_profile(picture.info.get("icc_profile") or b"")
    has_alpha = picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info
    values = np.array(picture.convert("RGBA" if has_alpha else "RGB"))
    if is_deep and is_nearly_black(values[..., :3], 8):
        notes += (NEARLY_BLACK,)
    return Stored(values, orientation, notes)


def _deep_gray(
    picture: Image.Image, orientation: int, notes: tuple[str, ...]
) -> Stored:
    samples = np.asarray(picture).astype(np.uint16)
    notes += of_profile(picture.info.get("icc_profile") or b"")
    notes += (NEARLY_BLACK,) if is_nearly_black(samples, 16) else ()
    values = np.repeat(to_8_bits(samples, 16)[..., None], 3, axis=2)
    clear = picture.info.get("transparency")
    if clear is not None:
        alpha = np.where(samples == clear, 0, 255).astype(np.uint8)
        values = np.dstack([values, alpha])
    return Stored(values, orientation, notes)


def is_stored_as_is(data: bytes) -> bool:
    """Whether bytes are an upright 8-bit RGB PNG or JPEG that any decoder reads alike.

    Such bytes go into the records unchanged, so that nothing is lost twice.
    """
    if data.startswith(b"\x89PNG"):
        png = read_png_header(data, name="picture")
        is_alike = png.is_rgb and png.depth == 8 and not png.has_transparent_color
        return is_alike and png.orientation == 1 and has_right_checksums(data)
    if not data.startswith(b"\xff\xd8"):
        return False
    # Decoded before, so that the limit has had its say.
    picture = open_bytes(data, "picture", sys.maxsize)
    is_alike = picture.format == "JPEG" and picture.mode == "RGB"
    return is_alike and read_jpeg_header(data, name="picture").orientation == 1


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
            f"A picture must be a file that can be read, got path={path} "
            f"({error.strerror}). Check the path."
        ) from error
