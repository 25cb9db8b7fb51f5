"""What a slide says of itself, looked at before anything of it is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from gastric_keras.imaging.pillow import UnusableImage
from gastric_keras.imaging.scale import is_possible

if TYPE_CHECKING:
    from openslide import OpenSlide

#: Most pixels of one tile; scanners write 256 to 4096 px a side.
_TILE_PIXELS = 2**26


def check_levels(slide: OpenSlide, path: Path | str) -> None:
    """Whether levels and tiles can be those of one slide.

    Args:
        slide: just opened.
        path: of it, for the message.

    Raises:
        UnusableImage: a tile that no memory holds, or levels of different shapes.
    """
    for level, (width, height) in enumerate(slide.level_dimensions):
        tile = [
            int(slide.properties.get(f"openslide.level[{level}].tile-{side}", 0))
            for side in ("width", "height")
        ]
        # OpenSlide decodes a tile whole, and ends the process where it finds no room.
        if tile[0] * tile[1] > _TILE_PIXELS:
            raise UnusableImage(
                f"A slide in tiles of at most {_TILE_PIXELS} px was expected. "
                f"Received: path={path}, level={level}, tile={tile[0]}×{tile[1]}. "
                "Copy it again from its source, or save it again in smaller tiles."
            )
        # Rounding and rows that fill up a tile are far from twice the side.
        factors = slide.dimensions[0] / width, slide.dimensions[1] / height
        if max(factors) > 2 * min(factors):
            raise UnusableImage(
                "A slide whose levels show the same picture was expected. Received: "
                f"path={path}, size={slide.dimensions}, level={level} of "
                f"{width}×{height}. Copy it again from its source."
            )


def mpp_of(slide: OpenSlide, path: Path | str) -> float:
    """µm per px that the file gives, be it possible or not; 0 where it gives none.

    Args:
        slide: just opened.
        path: of it, for the message.

    Raises:
        UnusableImage: its pixels are no squares.
    """
    values = [float(slide.properties.get(f"openslide.mpp-{axis}", 0)) for axis in "xy"]
    if not all(0 < value < math.inf for value in values):
        return 0.0
    if max(values) > 1.1 * min(values) and is_possible(max(values)):
        raise UnusableImage(
            "A slide with square pixels was expected. Received: "
            f"path={path}, mpp-x={values[0]}, mpp-y={values[1]}. Mend the file, or "
            "save it again with square pixels."
        )
    return sum(values) / 2
