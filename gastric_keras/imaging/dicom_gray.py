"""What DICOM says of the gray values of a picture beside their depth."""

from __future__ import annotations

from gastric_keras.imaging.dicom_decoders import read_fields
from gastric_keras.support.errors import require

#: Rescale slope and intercept, window center and width, shape of the presentation.
_TAGS = (0x00281053, 0x00281052, 0x00281050, 0x00281051, 0x20500020)
#: Modality LUT Sequence, with its type.
_TABLE = b"\x28\x00\x00\x30SQ"
#: Least difference between a window and all values that is seen.
_SLACK = 0.02

#: Note of a picture that viewers show with another contrast.
WINDOW_IGNORED = "a window of its DICOM header, which is not applied"


def read_gray(data: bytes, *, bits: int, name: str) -> tuple[bool, tuple[str, ...]]:
    """How the values of a gray picture are meant to be shown.

    Args:
        data: the DICOM file.
        bits: stored depth.
        name: for the message.

    Returns:
        Whether its presentation inverts them, and what was assumed.

    Raises:
        InputError: they stand for other numbers, whose white is not known.
    """
    slope, intercept, center, width, shape = read_fields(data, _TAGS)
    line = _first(slope, 1), _first(intercept, 0)
    # DCMTK spreads the result over more bits, pydicom does not.
    require(
        line == (1, 0) and _TABLE not in data,
        "The values of a gray DICOM picture must stand for themselves",
        "Convert it to a gray picture of 8 bits.",
        path=name,
        rescale_slope=line[0],
        rescale_intercept=line[1],
        has_modality_lut=_TABLE in data,
    )
    levels = 2**bits
    wide, middle = _first(width, levels), _first(center, levels / 2)
    is_cut = max(abs(wide - levels), abs(middle - levels / 2)) > _SLACK * levels
    return shape == "INVERSE", (WINDOW_IGNORED,) if is_cut else ()


def without_shape(data: bytes) -> bytes:
    """The same file, its presentation left to us: decoders differ in applying it."""
    return data.replace(b"INVERSE ", b"IDENTITY")


def _first(text: str, absent: float) -> float:
    # pydicom spells several values as a list, DCMTK with backslashes.
    first = text.strip("[]").replace(",", "\\").split("\\")[0].strip(" '")
    return float(first) if first else float(absent)
