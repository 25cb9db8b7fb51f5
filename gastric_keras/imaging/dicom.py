"""DICOM pictures of one frame, as RGB uint8."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging import dicom_decoders
from gastric_keras.imaging.deep_samples import is_nearly_black
from gastric_keras.imaging.dicom_gray import read_gray, without_shape
from gastric_keras.imaging.headers import read_jpeg_header
from gastric_keras.imaging.stored import NEARLY_BLACK, Stored, of_profile
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.versions import install_command

#: JPEG of 8 bits, baseline.
_JPEG = "1.2.840.10008.1.2.4.50"
_ITEM = b"\xfe\xff\x00\xe0"
#: Transfer syntaxes that store the pixels as they are.
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
#: ICC Profile, with its type.
_PROFILE = b"\x28\x00\x00\x20OB"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0"

#: Note of a picture whose header and whose JPEG data name different colors.
COLORS_OF_STREAM = "read with the colors of its JPEG data, which its header contradicts"


@dataclass(frozen=True)
class _Header:
    """What the file says of its pixels; fields in the order of ``_TAGS``."""

    syntax: str
    photometric: str
    samples: int
    frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    is_signed: int


#: Tags of the header's fields, and what an absent one means.
_TAGS = {
    0x00020010: "",
    0x00280004: "",
    0x00280002: "1",
    0x00280008: "1",
    0x00280010: "0",
    0x00280011: "0",
    0x00280100: "0",
    0x00280101: "0",
    0x00280103: "0",
}


def is_dicom(data: bytes) -> bool:
    """Whether bytes begin as DICOM does."""
    return data[128:132] == b"DICM"


def decode_dicom(data: bytes, *, name: str, max_pixels: int) -> Stored:
    """Decode a DICOM picture of one frame.

    tensorflow-io decodes it, whose DCMTK knows the lossless JPEG forms too; pydicom
    where tensorflow-io does not load or fails, to the same pixels. More than 8 bits are
    scaled down by the stored depth; gray becomes three equal channels; windows are not
    applied, which is told.

    Args:
        data: bytes of the file.
        name: for the messages.
        max_pixels: most pixels that are decoded.

    Returns:
        (H, W, 3) uint8 RGB, and what was assumed.

    Raises:
        InputError: not a DICOM picture, cut short, several frames, signed values or
            too many pixels.
    """
    require(
        is_dicom(data),
        "A DICOM file must have DICM at its byte 128",
        "Save it again from its source.",
        path=name,
    )
    try:
        header = _read_header(data)
    except Exception as error:
        raise _unreadable(name, error) from error
    _check(header, data, name, max_pixels)
    stream = _contradicting_jpeg(header, data, name)
    if stream is not None:
        from PIL import Image

        pixels = np.asarray(Image.open(io.BytesIO(stream)).convert("RGB"))
        return Stored(pixels, notes=(COLORS_OF_STREAM, *_of_profile(data)))
    # DCMTK turns MONOCHROME1 over itself, to a depth of one step less: told that it
    # is MONOCHROME2, it leaves the values to us.
    plain = data.replace(b"MONOCHROME1", b"MONOCHROME2")
    notes = _of_profile(data)
    is_inverted = header.photometric == "MONOCHROME1"
    if header.photometric.startswith("MONOCHROME"):
        is_shown_inverted, said = _read_gray(header, data, name)
        is_inverted |= is_shown_inverted
        notes += said
        plain = without_shape(plain)
    pixels = _decode(plain, name)
    values = pixels.reshape(header.rows, header.columns, -1)
    rgb = _to_rgb(values, header.bits_stored, is_inverted=is_inverted)
    if header.bits_stored == 16 and is_nearly_black(pixels, 16):
        notes += (NEARLY_BLACK,)
    return Stored(rgb, notes=notes)


def _decode(data: bytes, name: str) -> npt.NDArray[Any]:
    try:
        return dicom_decoders.decode_tensorflow(data)
    except Exception as first:
        try:
            return dicom_decoders.decode_pydicom(data)
        except ImportError:
            raise _unreadable(name, first) from first
        except Exception as error:
            raise _unreadable(name, error) from error


def _of_profile(data: bytes) -> tuple[str, ...]:
    start = data.find(_PROFILE, 132) + len(_PROFILE) + 2
    if start < 132:
        return ()
    size = int.from_bytes(data[start : start + 4], "little")
    return of_profile(data[start + 4 : start + 4 + size])


def _contradicting_jpeg(header: _Header, data: bytes, name: str) -> bytes | None:
    """The JPEG data of a picture where they and its header name different colors.

    DCMTK believes the header: YCbCr said to be RGB comes out green and pink.
    """
    if header.syntax != _JPEG or header.samples != 3:
        return None
    start = data.find(_PIXEL_DATA, 132)
    stream, place = b"", start + 12
    is_table = True
    while data[place : place + 4] == _ITEM:
        end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "little")
        # The first item is a table of offsets.
        stream += b"" if is_table else data[place + 8 : end]
        is_table, place = False, end
    if not stream.startswith(b"\xff\xd8"):
        return None
    said = read_jpeg_header(stream, name=name)
    is_rgb = header.photometric == "RGB"
    differs = said.is_ycbcr and not said.is_rgb if is_rgb else said.is_rgb
    return stream if differs else None


def _read_gray(header: _Header, data: bytes, name: str) -> tuple[bool, tuple[str, ...]]:
    try:
        return read_gray(data, bits=header.bits_stored, name=name)
    except ValueError as error:
        # A number that is none; InputError is one of its kind.
        raise error if isinstance(error, InputError) else _unreadable(name, error)


def _to_rgb(
    values: npt.NDArray[Any], bits: int, *, is_inverted: bool
) -> npt.NDArray[np.uint8]:
    top = 2**bits - 1
    values = np.minimum(values, top)
    if is_inverted:
        values = top - values
    if top != 255:
        values = np.rint(values * (255 / top))
    rgb = np.broadcast_to(values, values.shape[:2] + (3,))
    return np.array(rgb, np.uint8)


def _read_header(data: bytes) -> _Header:
    fields = dicom_decoders.read_fields(data, tuple(_TAGS))
    texts = [text or absent for text, absent in zip(fields, _TAGS.values())]
    syntax, photometric, *numbers = texts
    return _Header(syntax, photometric, *map(int, numbers))


def _check(header: _Header, data: bytes, name: str, max_pixels: int) -> None:
    require(
        header.frames == 1,
        "A DICOM picture must have one frame",
        "Several frames are a slide where OpenSlide knows them: install the slides "
        f"extra, {install_command('slides')}, or save the frame you want as a file of "
        "its own.",
        path=name,
        frames=header.frames,
    )
    require(
        header.rows * header.columns > 0
        and not header.is_signed
        and 8 <= header.bits_stored <= 16
        and header.photometric.startswith(("MONOCHROME", "RGB", "YBR")),
        "A DICOM picture must be RGB, YBR or gray, of 8 to 16 bits, unsigned",
        "Convert it to RGB, or leave it out.",
        path=name,
        photometric=header.photometric,
        size=f"{header.columns}×{header.rows}",
        bits=header.bits_stored,
        is_signed=bool(header.is_signed),
    )
    require(
        header.rows * header.columns <= max_pixels,
        f"A DICOM picture must have at most {max_pixels} pixels",
        "Cut it in parts, or raise max_pixels if the memory allows.",
        path=name,
        size=f"{header.columns}×{header.rows}",
    )
    require(
        _is_whole(header, data),
        "A DICOM file must be whole",
        "It is cut short; copy it again from its source.",
        path=name,
        bytes=len(data),
    )


def _is_whole(header: _Header, data: bytes) -> bool:
    # DCMTK fills what is missing with zeros, and says nothing.
    if header.syntax.endswith(".1.99"):
        # A deflated file that is cut short does not inflate.
        return True
    tag = _PIXEL_DATA
    if header.syntax.endswith("1.2.2"):
        tag = b"\x7f\xe0\x00\x10"
    start = data.find(tag, 132)
    if start < 0:
        return False
    if header.syntax not in _NATIVE:
        return data.find(_SEQUENCE_END, start) > 0
    pixels = header.rows * header.columns * header.samples
    if header.photometric == "YBR_FULL_422":
        pixels = pixels * 2 // 3
    return start + 8 + pixels * header.bits_allocated // 8 <= len(data)


def _unreadable(name: str, error: Exception) -> InputError:
    # TensorFlow puts the machine's name around its own words.
    text = str(error).split("}} ")[-1].split(" [Op:")[0].splitlines() or [""]
    return InputError(
        "A DICOM picture must be one that tensorflow-io or pydicom can decode, got "
        f"path={name} ({type(error).__name__}: {text[0]}). Save it again from its "
        "source, as explicit little endian."
    )
