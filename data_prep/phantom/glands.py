"""Where the phantom's glands lie, and the regions that they make of a picture."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt
from shapely import affinity
from shapely.geometry import MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

#: Class of each value of a class map.
CLASSES = ("Background", "Epithelium", "Stroma")
BACKGROUND, EPITHELIUM, STROMA = range(3)


@dataclasses.dataclass(frozen=True)
class Gland:
    """A gland: its outline and its lumen, which may be empty; in px."""

    outer: Polygon
    lumen: Polygon


def grade_of(severity: float) -> float:
    """Severity to (0, 1), so that no extreme case leaves the range of real tissue."""
    return float(1 / (1 + np.exp(-1.2 * severity)))


def place_glands(rng: np.random.Generator, size: int, severity: float) -> list[Gland]:
    """Draw glands that keep their distance, over a square of ``size`` px and its rim.

    Higher severity draws closer, more crooked glands with thicker walls.
    """
    grade = grade_of(severity)
    glands: list[Gland] = []
    gap = 9 - 6 * grade
    for _ in range(max(40, size**2 // 500)):
        # Some glands are cut along their wall and show no lumen, whatever the grade.
        is_solid = rng.random() < 0.3 + 0.15 * grade
        radius = rng.uniform(34, 60) if is_solid else rng.uniform(28, 54)
        x, y = rng.uniform(-0.1 * size, 1.1 * size, 2)
        center = Point(x, y)
        if any(other.outer.distance(center) < 0.5 * radius for other in glands):
            continue
        outer = _blob(rng, radius, wobble=0.05 + 0.16 * grade)
        outer = affinity.scale(outer, 1.0, rng.uniform(0.65, 1.0))
        outer = affinity.rotate(outer, rng.uniform(0, 180), origin=(0, 0))
        outer = affinity.translate(outer, x, y)
        if any(outer.distance(other.outer) < gap for other in glands):
            continue
        wall = rng.uniform(17, 21) * (1 + 0.3 * grade * rng.uniform(0.3, 1))
        # Opening rounds the corners that shrinking leaves.
        lumen = Polygon() if is_solid else outer.buffer(-wall - 4).buffer(4)
        if isinstance(lumen, MultiPolygon):
            lumen = max(lumen.geoms, key=lambda part: part.area)
        glands.append(Gland(outer, lumen))
    return glands


def _blob(rng: np.random.Generator, radius: float, *, wobble: float) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    length = np.ones_like(angle)
    for order in (2, 3, 4, 5):
        length += (
            wobble
            * rng.normal(0, 0.8)
            / order**0.5
            * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
            / 2
        )
    length = np.clip(length, 0.45, 1.6) * radius
    return Polygon(np.c_[length * np.cos(angle), length * np.sin(angle)]).buffer(0)


def split_regions(
    rng: np.random.Generator, size: int, glands: list[Gland], margin: float
) -> tuple[BaseGeometry, ...]:
    """Part a square of ``size`` px into background, epithelium and stroma.

    ``margin`` is the part of its width that is bare glass at one side.
    """
    frame = box(0, 0, size, size)
    glass: BaseGeometry = Polygon()
    if margin > 0:
        along = np.linspace(-20, size + 20, 40)
        depth = margin * size + sum(
            rng.normal(0, 8) * np.sin(along * f / size * 2 * np.pi + rng.uniform(0, 6))
            for f in (1, 2, 3.5)
        )
        side = Polygon(
            [(-30, -20), *zip(depth, along, strict=True), (-30, size + 20)]
        ).buffer(0)
        turn = 90 * int(rng.integers(4))
        glass = affinity.rotate(side, turn, origin=(size / 2, size / 2))
    lumina = unary_union([gland.lumen for gland in glands])
    outer = unary_union([gland.outer for gland in glands])
    background = unary_union([glass, lumina]).intersection(frame)
    epithelium = outer.intersection(frame).difference(background)
    stroma = frame.difference(outer).difference(background)
    return background, epithelium, stroma


def paint_classes(
    size: int, regions: tuple[BaseGeometry, ...]
) -> npt.NDArray[np.uint8]:
    """The class map of the regions: (size, size) uint8, an index into `CLASSES`."""
    classes = np.full((size, size), STROMA, np.uint8)
    for value in (BACKGROUND, EPITHELIUM):
        for part in polygons(regions[value]):
            mask = np.zeros((size, size), np.uint8)
            rings = [part.exterior, *part.interiors]
            # 4 fractional bits; pixel (0, 0) is centered on (0.5, 0.5).
            points = [
                np.rint((np.array(r.coords) - 0.5) * 16).astype(np.int32) for r in rings
            ]
            cv2.fillPoly(mask, points, 1, shift=4)
            classes[mask > 0] = value
    return classes


def polygons(geometry: BaseGeometry) -> list[Polygon]:
    """The polygons of a geometry, without the lines and points that cutting leaves."""
    parts = getattr(geometry, "geoms", [geometry])
    return [part for part in parts if isinstance(part, Polygon) and part.area > 1]
