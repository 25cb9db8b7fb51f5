"""Areas of region maps: made valid, and drawn pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

#: Crossings beyond which outlines are noise, and take minutes to make valid.
_MAX_CROSSINGS = 1000
#: Edges whose crossings are sought at a time.
_EDGES = 256
#: Corners of a quarter of an ellipse; the area is 0.01 % short.
_QUARTER = 64


def clean_area(area: Any) -> Any:
    """Make a valid area of a hand-drawn outline.

    Outlines that cross themselves keep their loops; points and lines, which have no
    area, are left out.

    Args:
        area: any shapely geometry, px.

    Returns:
        A valid shapely Polygon or MultiPolygon, empty where there is no area.

    Raises:
        ValueError: a coordinate that is not a finite number, or outlines that cross
            themselves more often than a hand does.
    """
    from shapely import Polygon, get_coordinates, make_valid, union_all

    if not np.isfinite(get_coordinates(area)).all():
        raise ValueError("a coordinate is not a finite number")
    if not area.is_valid:
        _check_crossings(area)
        area = make_valid(area)
    polygons = list(polygons_of(area))
    if len(polygons) == 1:
        return polygons[0]
    return union_all(polygons) if polygons else Polygon()


def _check_crossings(area: Any) -> None:
    from shapely import STRtree, get_parts, linestrings

    edges = np.concatenate(
        [
            np.stack([ring[:-1], ring[1:]], axis=1)
            for polygon in polygons_of(area)
            for ring in (np.asarray(r.coords)[:, :2] for r in _rings(polygon))
        ]
        or [np.zeros((0, 2, 2))]
    )
    lines = get_parts(linestrings(edges))
    tree = STRtree(lines)
    crossings = 0
    # A few at a time: of noise, each edge crosses all others.
    for start in range(0, len(lines), _EDGES):
        part = lines[start : start + _EDGES]
        # Each crossing is met from both sides.
        crossings += tree.query(part, predicate="crosses").shape[1]
        if crossings > 2 * _MAX_CROSSINGS:
            raise ValueError(
                f"outlines that cross themselves more than {_MAX_CROSSINGS} times"
            )


def ellipse_in(bounds: tuple[float, float, float, float]) -> Any:
    """Ellipse that fills a box of left, top, right, bottom, as a shapely Polygon."""
    from shapely import Point, affinity

    left, top, right, bottom = bounds
    circle = Point((left + right) / 2, (top + bottom) / 2).buffer(1, quad_segs=_QUARTER)
    # A box without an area gives an ellipse that clean_area empties.
    return clean_area(affinity.scale(circle, (right - left) / 2, (bottom - top) / 2))


def polygons_of(area: Any) -> Iterator[Any]:
    """Each polygon of a geometry, collections within collections included."""
    if area.geom_type == "Polygon":
        yield area
    for part in getattr(area, "geoms", ()):
        yield from polygons_of(part)


def draw_polygon(
    values: npt.NDArray[np.uint8], polygon: Any, value: int, *, offset: tuple[int, int]
) -> None:
    """Set the pixels whose centers lie in a polygon, and not in one of its holes.

    Even-odd scan-line fill. Neighbors that share an edge neither overlap nor leave a
    gap, which the fills of cv2 and Pillow, fat by half a pixel, do not hold.

    Args:
        values: (H, W) uint8, a window of the picture; changed in place.
        polygon: shapely Polygon, px of the picture.
        value: written there, in [0, 255].
        offset: (x, y) of the window's left top in the picture, px.
    """
    rings = [np.asarray(ring.coords)[:, :2] for ring in _rings(polygon)]
    (left, top), (height, width) = offset, values.shape
    rows, columns = _crossings(rings, top, height)
    if not len(rows):
        return
    # What lies left of the window still toggles its first pixel.
    columns = np.clip(columns - left, 0, width).astype(np.int64)
    above, below = rows.min(), rows.max() + 1
    first, last = columns.min(), columns.max()
    toggles = np.zeros((below - above, last - first + 1), np.uint8)
    np.bitwise_xor.at(toggles, (rows - above, columns - first), 1)
    inside = np.bitwise_xor.accumulate(toggles, axis=1)[:, :-1].astype(bool)
    values[above:below, first:last][inside] = value


def _rings(polygon: Any) -> list[Any]:
    return [polygon.exterior, *polygon.interiors]


def _crossings(
    rings: Sequence[npt.NDArray[Any]], top: int, height: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Row in the window, and first column of the picture right of the edge, of each
    place where an edge crosses the center line of a row.

    Reckoned in pixels of the picture, so that every window rounds alike.
    """
    start = np.concatenate([ring[:-1] for ring in rings])
    end = np.concatenate([ring[1:] for ring in rings])
    low = np.minimum(start[:, 1], end[:, 1])
    high = np.maximum(start[:, 1], end[:, 1])
    # Rows whose center line y + 0.5 an edge crosses: low <= y + 0.5 < high.
    first = np.clip(np.ceil(low - 0.5) - top, 0, height).astype(np.int64)
    last = np.clip(np.ceil(high - 0.5) - top, 0, height).astype(np.int64)
    rows_of_edge = last - first
    edge = np.repeat(np.arange(len(first)), rows_of_edge)
    step = np.arange(len(edge)) - np.repeat(
        rows_of_edge.cumsum() - rows_of_edge, rows_of_edge
    )
    rows = first[edge] + step
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    crossing = x0 + (rows + top + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    return rows, np.ceil(crossing - 0.5)
