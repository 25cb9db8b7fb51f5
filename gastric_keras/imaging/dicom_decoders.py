"""The two decoders of DICOM: tensorflow-io's DCMTK, and pydicom in its place."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging import native
from gastric_keras.imaging.colors import bands

_RLE = "1.2.840.10008.1.2.5"


def read_fields(data: bytes, tags: Sequence[int]) -> list[str]:
    """Elements of the header as text; an empty one where a tag is absent."""
    try:
        return _fields_tensorflow(data, tags)
    except (ImportError, RuntimeError):
        return _fields_pydicom(data, tags)


def decode_tensorflow(data: bytes) -> npt.NDArray[Any]:
    """The stored values, uint16; YBR as RGB."""
    tfio = native.tensorflow_io()
    import tensorflow as tf

    # In uint16, since "strict" refuses a type that is smaller than the stored depth.
    return tfio.image.decode_dicom_image(
        data, color_dim=True, on_error="strict", scale="preserve", dtype=tf.uint16
    ).numpy()


def decode_pydicom(data: bytes) -> npt.NDArray[Any]:
    """The stored values, uint8 or uint16; YBR as RGB.

    The same as DCMTK's; of JPEG, which every decoder rounds in a way of its own, to
    ±1.

    Raises:
        Exception: whatever pydicom raises where it cannot decode.
    """
    import pydicom
    from pydicom.pixels import pixel_array

    dataset = pydicom.dcmread(io.BytesIO(data))
    bits, photometric = dataset.BitsStored, dataset.PhotometricInterpretation
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and syntax != _RLE:
        return pixel_array(dataset)
    if photometric.startswith("YBR_FULL"):
        ybr = pixel_array(dataset, raw=True)
        return rgb_from_ybr(ybr, bits, is_subsampled=photometric == "YBR_FULL_422")
    # The bits may lie at the upper end of their bytes, where pydicom would cut them.
    unused = dataset.HighBit + 1 - bits
    if unused < 0:
        raise ValueError("fewer bits than are stored")
    dataset.BitsStored = dataset.HighBit + 1
    return pixel_array(dataset) >> unused


def rgb_from_ybr(
    ybr: npt.NDArray[Any], bits: int, *, is_subsampled: bool
) -> npt.NDArray[Any]:
    """YBR_FULL to RGB, rounded as DCMTK does (diybrpxt.h, diyf2pxt.h).

    Args:
        ybr: (H, W, 3) unsigned integers.
        bits: stored depth.
        is_subsampled: whether pairs of pixels shared their colors.

    Returns:
        (H, W, 3), the type of ``ybr``.
    """
    top = 2**bits - 1
    # Where 8 bits are not subsampled, DCMTK rounds each term, by tables.
    cut = np.trunc if bits == 8 and not is_subsampled else np.asarray
    rgb = np.empty_like(ybr)
    for rows in bands(*ybr.shape[:2]):
        y, cb, cr = np.moveaxis(ybr[rows].astype(np.float64), -1, 0)
        red = y + cut(1.4020 * cr - 0.7010 * top)
        green = y - cut(0.3441 * cb) - cut(0.7141 * cr - 0.5291 * top)
        blue = y + cut(1.7720 * cb - 0.8859 * top)
        rgb[rows] = np.clip(np.stack([red, green, blue], -1), 0, top)
    return rgb


def _fields_tensorflow(data: bytes, tags: Sequence[int]) -> list[str]:
    tfio = native.tensorflow_io()
    import tensorflow as tf

    fields = tfio.image.decode_dicom_data(data, tf.constant(list(tags), tf.uint32))
    return [field.decode("ascii").strip("\0 ") for field in fields.numpy()]


def _fields_pydicom(data: bytes, tags: Sequence[int]) -> list[str]:
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    elements = {**dataset.file_meta, **dataset}
    return [str(elements[tag].value) if tag in elements else "" for tag in tags]
