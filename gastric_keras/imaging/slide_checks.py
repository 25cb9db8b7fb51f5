"""What a slide says of itself, checked before anything of it is read."""

from __future__ import annotations

import math
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gastric_keras.imaging.pillow import UnusableImage
from gastric_keras.imaging.scale import is_possible
from gastric_keras.imaging.tiff_tags import read_directories
from gastric_keras.support.errors import InputError
from gastric_keras.support.versions import install_command

if TYPE_CHECKING:
    from openslide import OpenSlide

#: Most pixels of one tile; scanners write 256 to 4096 px a side.
_TILE_PIXELS = 2**26
#: Tag of the orientation in a TIFF.
_ORIENTATION = 274


def check_levels(slide: OpenSlide, path: Path | str) -> None:
    """Whether levels and tiles can be those of one slide.

    Args:
        slide: just opened.
        path: of it, for the message.

    Raises:
        UnusableImage: a tile too large for the memory, or levels of different shapes.
    """
    for level, (width, height) in enumerate(slide.level_dimensions):
        tile = [
            int(slide.properties.get(f"openslide.level[{level}].tile-{side}", 0))
            for side in ("width", "height")
        ]
        # OpenSlide decodes a tile whole, and ends the process where it finds no room.
        if tile[0] * tile[1] > _TILE_PIXELS:
            raise UnusableImage(
                f"The tiles of a slide must have at most {_TILE_PIXELS} px, got "
                f"path={path}, level={level}, tile={tile[0]}×{tile[1]}. Copy the slide "
                "again from its source, or save it again in smaller tiles."
            )
        # Rounding and rows that fill up a tile are far from twice the side.
        factors = slide.dimensions[0] / width, slide.dimensions[1] / height
        if max(factors) > 2 * min(factors):
            raise UnusableImage(
                "The levels of a slide must show the same picture, got "
                f"path={path}, size={slide.dimensions}, level={level} of "
                f"{width}×{height}. Copy the slide again from its source."
            )


def check_upright(slide: OpenSlide, path: Path | str) -> None:
    """Whether a pyramid in a plain TIFF is stored as it is to be seen.

    OpenSlide and QuPath do not turn it; viewers of pictures do, and so does the reader
    of TIFF without a pyramid.

    Args:
        slide: just opened.
        path: of it.

    Raises:
        UnusableImage: it is to be turned.
    """
    if slide.properties.get("openslide.vendor") != "generic-tiff":
        return
    with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        pages = read_directories(data)
        orientation = pages[0].one(_ORIENTATION, 1) if pages else 1
    if orientation in range(2, 9):
        raise UnusableImage(
            "A pyramid in a TIFF must be stored upright, since programs differ in "
            f"whether they turn it, got path={path}, orientation={orientation}. Set "
            "the tag Orientation to 1: tiffset -s 274 1 FILE."
        )


def mpp_of(slide: OpenSlide, path: Path | str) -> float:
    """µm per px that the file gives, be it possible or not; 0 where it gives none.

    Args:
        slide: just opened.
        path: of it, for the message.

    Raises:
        UnusableImage: its pixels are not square.
    """
    values = [float(slide.properties.get(f"openslide.mpp-{axis}", 0)) for axis in "xy"]
    if not all(0 < value < math.inf for value in values):
        return 0.0
    if max(values) > 1.1 * min(values) and is_possible(max(values)):
        raise UnusableImage(
            f"The pixels of a slide must be square, got path={path}, "
            f"mpp-x={values[0]}, mpp-y={values[1]}. Fix the file, or save it again "
            "with square pixels."
        )
    return sum(values) / 2


def bounds_of(slide: OpenSlide) -> tuple[int, int, int, int]:
    """Rectangle of a slide that holds all its pixels, as OpenSlide's bounds give it.

    MIRAX, Leica SCN and Ventana slides have them; QuPath shows this part alone, and
    counts its outlines from its corner.

    Args:
        slide: just opened.

    Returns:
        x, y, width, height, px at full resolution; the whole slide where the file
        gives none, or none that make sense.
    """
    width, height = slide.dimensions
    try:
        x, y, wide, high = (
            int(slide.properties[f"openslide.bounds-{name}"])
            for name in ("x", "y", "width", "height")
        )
    except (KeyError, ValueError):
        return 0, 0, width, height
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + wide, width), min(y + high, height)
    if right <= left or bottom <= top:
        return 0, 0, width, height
    return left, top, right - left, bottom - top


def import_openslide(path: Path | str) -> Any:
    """Import OpenSlide.

    Args:
        path: of the slide that needs it, for the message.

    Raises:
        InputError: it is not installed.
    """
    try:
        import openslide
    except ImportError as error:
        raise InputError(
            "OpenSlide must be installed to read a slide, got "
            f"path={path} ({error}). Install the slides extra: "
            f"{install_command('slides')}."
        ) from error
    return openslide


def damaged(path: Path | str, error: Exception) -> UnusableImage:
    """The error for a slide that OpenSlide cannot read."""
    return UnusableImage(
        "A whole slide must be readable by OpenSlide, got "
        f"path={path} ({type(error).__name__}: {error}). Copy it again from its "
        "source."
    )
