"""Samples of 9 to 16 bits out of a TIFF, and their way to 8 bits."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.pillow import UnusableImage, load, open_bytes, unreadable
from gastric_keras.imaging.tiff_tags import Directory, with_value

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _ROWS, _COUNTS, _PLANAR, _FILL = 273, 277, 278, 279, 284, 266

#: Offsets and lengths of the strips or tiles.
_PARTS = ((_OFFSETS, 324), (_COUNTS, 325))
#: Packed samples that are taken apart at a time.
_BAND_BYTES = 2**20

#: Notes of a TIFF that states its largest value.
DEPTH_STATED = "scaled by the largest value that its MaxSampleValue states"
DEPTH_IGNORED = "a MaxSampleValue that its own pixels exceed, which is not used"


def read_samples(
    data: bytes, tags: Directory, *, name: str, max_pixels: int
) -> npt.NDArray[np.uint16]:
    """Read all bits of the samples of a picture.

    Args:
        data: the TIFF.
        tags: of the picture.
        name: for the messages.
        max_pixels: most pixels that are decoded.

    Returns:
        (H, W, n) uint16, as stored.

    Raises:
        UnusableImage: no decoder at hand keeps them.
    """
    check_whole(data, tags, name=name)
    bits = set(tags.all(_BITS))
    size = tags.one(_WIDTH, 0) * tags.one(_HEIGHT, 0)
    found = None
    if len(bits) == 1 and 0 < size <= max_pixels:
        if max(bits) < 16 and tags.one(_COMPRESSION, 1) == 1:
            found = _unpack(data, tags, max(bits))
        elif tags.one(_SAMPLES, 1) == 1:
            return _read_gray(data, tags, name=name, max_pixels=max_pixels)
        elif max(bits) == 16:
            found = _read_tifffile(data, tags)
            if found is None and tags.one(_PLANAR, 1) == 1:
                found = _read_opencv(data)
    if found is None:
        # Too large, or no picture: so Pillow says.
        open_bytes(data, name, max_pixels)
        raise UnusableImage(
            "A TIFF of more than 8 bits a sample must be gray, or of 16 bits with its "
            f"colors pixel by pixel, got path={name}, bits={tags.all(_BITS)}, "
            f"compression={tags.one(_COMPRESSION, 1)}. Save it as PNG, or as RGB of 8 "
            "bits."
        )
    return found


def parts_of(tags: Directory) -> tuple[list[int], list[int]]:
    """Offsets and lengths of the strips or tiles."""
    offsets, counts = ([*tags.all(a), *tags.all(b)] for a, b in _PARTS)
    return offsets, counts


def check_whole(data: bytes, tags: Directory, *, name: str) -> None:
    """Refuse a file that is cut short: some decoders fill it up and say nothing.

    Raises:
        UnusableImage: strips or tiles end behind the file, or there are none.
    """
    ends = [start + count for start, count in zip(*parts_of(tags))]
    if not ends or max(ends) > len(data):
        raise unreadable(name, ValueError("cut short"))


def to_8_bits(samples: npt.NDArray[np.uint16], depth: int) -> npt.NDArray[np.uint8]:
    """Samples whose white is 2 to the power of depth, less 1, to 0 to 255.

    Of 16 bits the upper 8 are kept, as PNG decoders do; others are scaled.
    """
    if depth == 16:
        return (samples >> 8).astype(np.uint8)
    return np.rint(samples * (255 / (2**depth - 1))).astype(np.uint8)


def is_nearly_black(values: npt.NDArray[Any], bits: int) -> bool:
    """Whether the upper 4 bits of a picture are never used."""
    return values.size > 0 and int(values.max()) < 2 ** (bits - 4)


def _unpack(data: bytes, tags: Directory, bits: int) -> npt.NDArray[np.uint16] | None:
    """Samples bit behind bit, each row from a whole byte on, without compression."""
    width, height = tags.one(_WIDTH, 0), tags.one(_HEIGHT, 0)
    samples = tags.one(_SAMPLES, 1)
    offsets, counts = tags.all(_OFFSETS), tags.all(_COUNTS)
    if tags.one(_FILL, 1) != 1 or (samples > 1 and tags.one(_PLANAR, 1) != 1):
        return None
    length = -(-width * samples * bits // 8)
    parts = zip(offsets, counts)
    stored = b"".join(data[start : start + count] for start, count in parts)
    if len(stored) < length * height:
        return None
    rows = np.frombuffer(stored, np.uint8, length * height).reshape(height, length)
    values = np.empty((height, width, samples), np.uint16)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint16)
    # In bands: as single bits, a large picture would take eight times its bytes.
    step = max(1, _BAND_BYTES // length)
    for top in range(0, height, step):
        flat = np.unpackbits(rows[top : top + step], axis=1)
        flat = flat[:, : width * samples * bits]
        values[top : top + step] = flat.reshape(-1, width, samples, bits) @ weights
    return values


def _read_gray(
    data: bytes, tags: Directory, *, name: str, max_pixels: int
) -> npt.NDArray[np.uint16]:
    # Of 12 bits Pillow knows those alone whose zero is black; it turns none around.
    if _PHOTOMETRIC in tags:
        data = with_value(data, tags[_PHOTOMETRIC], 1)
    picture = open_bytes(data, name, max_pixels)
    return np.asarray(load(picture, name)).astype(np.uint16)[..., None]


def _read_tifffile(data: bytes, tags: Directory) -> npt.NDArray[np.uint16] | None:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            values = np.asarray(file.pages.first.asarray())
            if tags.one(_PLANAR, 1) == 2:
                values = np.moveaxis(values, 0, -1)
    # Its codecs are a package of their own: LZW is not at hand.
    except Exception:
        return None
    return values if values.ndim == 3 and values.dtype == np.uint16 else None


def _read_opencv(data: bytes) -> npt.NDArray[np.uint16] | None:
    import cv2

    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or values.dtype != np.uint16:
        return None
    order = [2, 1, 0, 3][: values.shape[2]]
    return np.ascontiguousarray(values[..., order])
