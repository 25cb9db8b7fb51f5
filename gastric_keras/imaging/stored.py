"""A picture as its file stores it, before it is laid over white and turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Notes: what was assumed of a picture. They are counted and told.
TURNED = "turned upright by its EXIF orientation"
OVER_WHITE = "laid over white where it is transparent"
ALPHA_IGNORED = "read without its alpha channel, which hides all of it"
NEARLY_BLACK = (
    "16 bits of which the upper 4 are never used, so it is nearly black (or white); if "
    "its camera has fewer bits, save it in 8, or state the largest value in the TIFF "
    "tag MaxSampleValue"
)
FIRST_OF_SEVERAL = "the first picture of several in its JPEG, the others are previews"
PROFILE_IGNORED = "a color profile other than sRGB, which is not applied"
GAMMA_IGNORED = (
    "a PNG whose gamma, primaries or transfer function are not those of sRGB; they are "
    "not applied"
)
RANGE_IGNORED = (
    "a display range of ImageJ that ends below its largest value and is not applied, "
    "so it is darker than ImageJ shows it"
)
DARK = "nearly black, with no value above 15 of 255; a label mask is no picture"


@dataclass(frozen=True)
class Stored:
    """The samples of a file.

    Attributes:
        values: (H, W, 3) uint8 RGB or (H, W, 4) uint8 RGBA, as stored.
        orientation: 1 to 8, by EXIF.
        notes: what was assumed.
    """

    values: npt.NDArray[np.uint8]
    orientation: int = 1
    notes: tuple[str, ...] = ()


def of_profile(profile: bytes) -> tuple[str, ...]:
    """The note of a color profile; none of sRGB, and none where there is no profile."""
    return (PROFILE_IGNORED,) if profile and not is_srgb(profile) else ()


def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile names itself sRGB, in either of its two encodings."""
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile
