"""Where the outlines of a picture lie, and whether they can belong to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep.sources.class_names import NO_CLASS, NOTHING
from data_prep.sources.outline_scale import (
    FACTORS,
    Box,
    View,
    exact_factor,
    extent_of,
    is_in_shares,
    scaled,
    share_of,
    tissue_factor,
)
from data_prep.sources.regions import Regions
from gastric_keras.imaging.slides import Picture
from gastric_keras.imaging.tissue import tissue_mask

#: Share of the outlined area that a hand may draw beyond the edge.
_MAX_OUTSIDE = 0.05
#: Of outlines on tissue at least this share is tissue; fat and lumens are glass.
_ON_TISSUE, _ON_GLASS = 0.5, 0.05
#: Names of classes that are glass; their outlines lie there by right.
_GLASS = ("background", "glass", "white", "blank", "empty")
#: Share of width and height that outlines span which are said to fit.
_SPAN = 0.5
#: Longer side of the view that the tissue of a picture, of a slide is looked for on.
_SIDE, _SLIDE_SIDE = 256, 1024


def place_regions(
    regions: Regions, corner: tuple[int, int], *, origin: str
) -> tuple[Regions, str]:
    """Bring outlines to the pixels of their slide.

    QuPath shows of a slide its OpenSlide bounds, and counts from their corner. ASAP,
    ImageScope, HALO and OpenSlide itself count from the corner of the slide.

    Args:
        regions: as the file counts them.
        corner: (x, y) of the bounds of the slide, px.
        origin: ``bounds``, ``slide``, or ``auto``, which goes by the tool.

    Returns:
        The outlines in px of the picture, and the origin that was taken: ``bounds``,
        ``slide``, or "" where both are one.
    """
    if corner == (0, 0):
        return regions, ""
    if origin == "auto":
        origin = "bounds" if regions.counts_from_bounds else "slide"
    return (
        regions.moved((1, 0, 0, 1, *corner)) if origin == "bounds" else regions
    ), origin


def turn_regions(regions: Regions, shape: tuple[int, int], orientation: int) -> Regions:
    """Turn outlines that were drawn on stored pixels as EXIF turns the picture.

    Args:
        regions: in px of the stored picture.
        shape: (H, W) of the upright picture.
        orientation: 1 to 8, see :func:`gastric_keras.imaging.orientation.turn_upright`.
    """
    if orientation == 1:
        return regions
    height, width = shape
    across, down = (1, 0, 0), (0, 1, 0)
    if orientation >= 5:
        across, down = down, across
    if orientation in (2, 3, 6, 7):
        across = (-across[0], -across[1], width)
    if orientation in (3, 4, 7, 8):
        down = (-down[0], -down[1], height)
    return regions.moved((*across[:2], *down[:2], across[2], down[2]))


@dataclass(frozen=True)
class _Frame:
    """Another frame of coordinates: what to say of it, and the way into it."""

    words: str
    factor: float
    x: float
    y: float

    def areas(self, areas: Sequence[Any]) -> list[Any]:
        return [scaled(area, self.factor, self.x, self.y) for area in areas]


class PlaceCheck:
    """Looks whether placed outlines lie on what their picture shows.

    Args:
        regions: in px of the picture.
        picture: that they belong to.
        classes: of the set, in label order.
        origin: that they were counted from, as :func:`place_regions` took it.
        mpp: µm per px of the picture; 0.0 is not known.

    Attributes:
        inside: share of the area of all outlines of classes that lies in the picture;
            0.0 where there is none.
        is_in_shares: whether they were written in shares of width and height.
    """

    def __init__(
        self,
        regions: Regions,
        picture: Picture,
        *,
        classes: Sequence[str],
        origin: str,
        mpp: float = 0.0,
    ) -> None:
        drawn = [
            entry for entry in regions.drawn if entry[0] not in (NOTHING, NO_CLASS)
        ]
        self.picture = picture
        self.areas = [area for _, area in drawn]
        self.origin, self.mpp = origin, mpp
        x, y, width, height = picture.bounds
        self.box: Box = (x, y, x + width, y + height)
        self.inside = _share_inside(self.areas, self.box)
        self.is_in_shares = bool(self.areas) and is_in_shares(self.areas)
        self._tissue = [
            area for number, area in drawn if classes[number - 1].lower() not in _GLASS
        ]

    def find_faults(self) -> Iterator[str]:
        """What is wrong with the place, one sentence each without a full stop."""
        if not self.areas:
            yield "no outline of a class of the set"
        elif self.inside < 1 - _MAX_OUTSIDE:
            share = f"{1 - self.inside:.0%} of the outlined area lies outside"
            if self.inside == 0:
                share = "no outline lies inside"
            width, height = self.picture.bounds[2:]
            of = f"the picture of {width}×{height} px"
            yield f"{share} {of}{self._fitting()}"
        elif self.is_in_shares:
            yield (
                "all outlines lie within one px: were they written in shares of width "
                "and height, from 0 to 1?"
            )
        elif factor := exact_factor(self.areas, self.picture.bounds):
            yield (
                f"the outlines end exactly at 1/{factor} of width and height; they fit "
                f"when multiplied by {factor}: were they drawn on a copy shrunk to "
                f"1/{factor}?"
            )
        elif self._tissue:
            side = _SLIDE_SIDE if self.picture.is_slide else _SIDE
            yield from self._find_on(tissue_mask(self.picture, max_side=side))

    def _find_on(self, view: View) -> Iterator[str]:
        factor = tissue_factor(view, self._tissue, self.picture.bounds)
        if factor is not None:
            unit = ", or written in µm" if self._is_micron(factor) else ""
            yield (
                "the outlines lie in a corner of the tissue and cover all of it when "
                f"multiplied by {factor:.3g}: were they drawn on a smaller copy{unit}?"
            )
            return
        glass = float((~view[0]).sum()) * view[1] ** 2
        if glass <= (1 - _ON_TISSUE) * max(area.area for area in self._tissue):
            # Most of the largest outline must be tissue, wherever the glass lies.
            return
        share = share_of(view, self._tissue)
        if share is None or share >= _ON_TISSUE:
            return
        found = [
            other
            for other in self._others(grow=True)
            if (share_of(view, other.areas(self._tissue)) or 0.0)
            >= max(_ON_TISSUE, 3 * share)
            and _share_inside(other.areas(self._tissue), self.box) >= 1 - _MAX_OUTSIDE
        ]
        if share <= _ON_GLASS or found:
            yield (
                f"the outlines cover {share:.0%} tissue, the rest is glass"
                + "".join(f"; {other.words}" for other in found[:1])
            )

    def _is_micron(self, factor: float) -> bool:
        return abs(factor * self.mpp - 1) <= 0.05

    def _others(self, *, grow: bool) -> Iterator[_Frame]:
        """Other frames that the outlines may have been drawn in."""
        x, y, *_ = self.picture.bounds
        if self.origin == "bounds":
            words = "they fit when counted from the corner of the slide: set "
            yield _Frame(f"{words}annotation_origin: slide", 1, -x, -y)
        elif self.origin:
            words = "they fit when counted from the bounds of the slide: set "
            yield _Frame(f"{words}annotation_origin: bounds", 1, x, y)
            x, y = 0, 0
        for factor in FACTORS:
            words = f"they fit when divided by {factor}: were they drawn on a picture "
            inverse = 1 / factor
            yield _Frame(
                f"{words}{factor} times as wide?",
                inverse,
                x * (1 - inverse),
                y * (1 - inverse),
            )
            if grow:
                words = f"they fit when multiplied by {factor}: were they drawn on a "
                yield _Frame(
                    f"{words}copy shrunk to 1/{factor}?",
                    factor,
                    x * (1 - factor),
                    y * (1 - factor),
                )

    def _fitting(self) -> str:
        for other in self._others(grow=False):
            if self._fits(other.areas(self.areas), spans=other.factor != 1):
                return f"; {other.words}"
        return ""

    def _fits(self, areas: list[Any], *, spans: bool) -> bool:
        if _share_inside(areas, self.box) < 1 - _MAX_OUTSIDE:
            return False
        left, top, right, bottom = extent_of(areas)
        _, _, width, height = self.picture.bounds
        is_wide = min((right - left) / width, (bottom - top) / height) >= _SPAN
        return is_wide or not spans


def _share_inside(areas: Sequence[Any], box: Box) -> float:
    from shapely import area
    from shapely import box as box_of
    from shapely import intersection

    geometries = np.array(areas, dtype=object)
    # Of corners at 1e300 the area overflows; then all of it is outside.
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(area(geometries).sum()) if areas else 0.0
        if not 0 < total < np.inf:
            return 0.0
        return float(area(intersection(geometries, box_of(*box))).sum()) / total
