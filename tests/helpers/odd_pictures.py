"""TIFF and DICOM files of the forms that few programs write."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from gastric_keras.imaging import native

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG2000 = "1.2.840.10008.1.2.4.91"
RLE = "1.2.840.10008.1.2.5"

_LONG_TAGS = (273, 279)


def skip_without_tensorflow_io() -> None:
    """Skip a test of tensorflow-io where its native operations do not load."""
    found, reason = native.find_tensorflow_io()
    if found is None:
        pytest.skip(f"tensorflow-io does not load: {reason}")


def write_dicom(
    path: Path,
    pixels: npt.NDArray[Any],
    photometric: str,
    *,
    bits: int | None = None,
    frames: int | None = None,
    syntax: str = EXPLICIT,
    raw: bytes | None = None,
    jpeg: dict[str, object] | None = None,
    **elements: object,
) -> Path:
    """(H, W[, 3]) as a DICOM picture of the visible light, as a microscope's.

    Args:
        path: the file.
        pixels: unsigned, or signed to be refused.
        photometric: interpretation.
        bits: stored; None: all.
        frames: how often the pixels stand in it.
        syntax: of the transfer.
        raw: bytes in place of the pixels' own.
        jpeg: options of Pillow where ``syntax`` is JPEG or JPEG 2000.
        elements: others of the header, by keyword.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, RLELossless

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.2")
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    meta.TransferSyntaxUID = UID(EXPLICIT if syntax == RLE else syntax)
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    if frames is not None:
        dataset.NumberOfFrames = frames
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = (pixels.tobytes() if raw is None else raw) * (frames or 1)
    if syntax in (JPEG, JPEG2000):
        stream = io.BytesIO()
        kind = "JPEG" if syntax == JPEG else "JPEG2000"
        Image.fromarray(pixels).save(stream, kind, **(jpeg or {"quality": 95}))
        dataset.PixelData = encapsulate([stream.getvalue()])
        dataset["PixelData"].is_undefined_length = True
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if syntax == RLE:
        dataset.compress(RLELossless)
    dataset.save_as(path, enforce_file_format=True)
    return path


def planar_tiff(path: Path, color: npt.NDArray[Any], **options: object) -> Path:
    """(H, W, 3) as a TIFF of three planes; ``options`` are tifffile's."""
    import tifffile

    planes = np.moveaxis(color, -1, 0)
    tifffile.imwrite(
        path, planes, photometric="rgb", planarconfig="separate", **options
    )
    return path


def raw_tiff(
    path: Path, tags: dict[int, Sequence[int]], strips: Sequence[bytes]
) -> Path:
    """A little-endian TIFF of these tags and strips, whatever they say."""
    tags = {
        **tags,
        273: [0] * len(strips),
        279: [len(strip) for strip in strips],
    }
    behind = 8 + 2 + len(tags) * 12 + 4
    sizes = {tag: 4 if tag in _LONG_TAGS else 2 for tag in tags}
    lengths = [sizes[tag] * len(values) for tag, values in tags.items()]
    start = behind + sum(length for length in lengths if length > 4)
    tags[273] = [start + sum(map(len, strips[:i])) for i in range(len(strips))]
    head, values_behind = struct.pack("<2sHIH", b"II", 42, 8, len(tags)), b""
    for tag, values in sorted(tags.items()):
        form = "I" if sizes[tag] == 4 else "H"
        packed = struct.pack(f"<{len(values)}{form}", *values).ljust(4, b"\0")
        if len(packed) > 4:
            place = struct.pack("<I", behind + len(values_behind))
            values_behind += packed
            packed = place
        kind = 4 if form == "I" else 3
        head += struct.pack("<HHI", tag, kind, len(values)) + packed
    path.write_bytes(head + bytes(4) + values_behind + b"".join(strips))
    return path


def subsampled_tiff(
    path: Path,
    color: tuple[int, int, int] = (200, 120, 180),
    block: tuple[int, int] = (2, 2),
) -> Path:
    """An uncompressed 16×16 TIFF in YCbCr, a block of pixels for each Cb and Cr."""
    y, cb, cr = Image.new("RGB", (1, 1), color).convert("YCbCr").getpixel((0, 0))
    pixels = block[0] * block[1]
    data = bytes([*[y] * pixels, cb, cr]) * (256 // pixels)
    tags = {
        256: [16],
        257: [16],
        258: [8, 8, 8],
        259: [1],
        262: [6],
        277: [3],
        278: [16],
        530: list(block),
    }
    return raw_tiff(path, tags, [data])


def planes_of_strips(
    path: Path,
    color: npt.NDArray[np.uint16],
    compression: int,
    strips: Sequence[bytes],
    **tags: Sequence[int],
) -> Path:
    """(H, W, 3) uint16 as a TIFF of three planes that are compressed already."""
    height, width = color.shape[:2]
    entries = {
        256: [width],
        257: [height],
        258: [16, 16, 16],
        259: [compression],
        262: tags.get("photometric", [2]),
        274: tags.get("orientation", [1]),
        277: [3],
        278: [height],
        284: [2],
    }
    return raw_tiff(path, entries, strips)


def lzw(data: bytes) -> bytes:
    """TIFF's LZW without a gain: codes of 9 bits, a new table before they grow."""
    codes: list[int] = []
    for start in range(0, len(data), 200):
        codes += [256, *data[start : start + 200]]
    text = "".join(f"{code:09b}" for code in [*codes, 257])
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def packbits(data: bytes) -> bytes:
    """TIFF's PackBits without a gain: runs of literals."""
    parts = [data[start : start + 128] for start in range(0, len(data), 128)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)
