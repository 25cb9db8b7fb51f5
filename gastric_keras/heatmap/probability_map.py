"""Probabilities of patches as a map of the slide, and the outlines in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.heatmap.patches import PatchPlan


@dataclass(frozen=True)
class ProbabilityMap:
    """A probability for each square cell of the slide.

    Attributes:
        values: (rows, columns) float32 in [0, 1], or (rows, columns, classes) of more
            than two; NaN where nothing was read.
        cell: side of a cell, px at full resolution; the last ones end at the edge.
        shape: (H, W) of the part of the slide that the map covers, px.
        corner: (x, y) of that part in the slide, px.
    """

    values: npt.NDArray[np.float32]
    cell: int
    shape: tuple[int, int]
    corner: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Region:
    """Cells of one call that hang together by their sides.

    Attributes:
        polygon: shapely Polygon, px at full resolution.
        mean: of the cells' probabilities.
        highest: of them.
    """

    polygon: Any
    mean: float
    highest: float


def draw_map(
    plan: PatchPlan, probability: npt.NDArray[np.float32], shape: tuple[int, int]
) -> ProbabilityMap:
    """Lay the patches on a map whose cells are as wide as their stride.

    A cell is the mean of the patches that cover its center (of a cell that the edge
    cuts: the last px).

    Args:
        plan: the patches that were read.
        probability: (n,) of each, in [0, 1]; or (n, classes).
        shape: (H, W) of the part of the slide that the grid of the plan covers, px.
    """
    centers = [
        np.minimum((np.arange(-(-length // plan.step)) + 0.5) * plan.step, length - 0.5)
        for length in shape
    ]
    # Per patch: first cell whose center it covers, and the first beyond.
    left, top = (plan.origins - np.array(plan.corner)).T
    first_row, last_row = np.searchsorted(centers[0], (top, top + plan.side))
    first_column, last_column = np.searchsorted(centers[1], (left, left + plan.side))
    classes = probability.shape[1:]
    total = np.zeros((len(centers[0]), len(centers[1]), *classes))
    count = np.zeros((*total.shape[:2], *(1 for _ in classes)))
    cells = zip(first_row, last_row, first_column, last_column, probability)
    for above, below, before, after, value in cells:
        total[above:below, before:after] += value
        count[above:below, before:after] += 1
    values = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=values, where=count > 0, casting="same_kind")
    return ProbabilityMap(values, plan.step, shape, plan.corner)


def find_regions(probability: ProbabilityMap, level: float) -> list[Region]:
    """Outline what lies at or above a level, from top to bottom.

    Args:
        probability: the map.
        level: in (0, 1].
    """
    # In float32 as the values: a probability that equals the threshold is at it.
    return outline_cells(probability, probability.values >= np.float32(level))


def outline_cells(
    probability: ProbabilityMap, is_inside: npt.NDArray[np.bool_]
) -> list[Region]:
    """Outline the cells that hang together by their sides, from top to bottom.

    Args:
        probability: the map of one class.
        is_inside: (rows, columns) bool, which cells are outlined.
    """
    from scipy.ndimage import find_objects, label
    from shapely import union_all

    labels, _ = label(is_inside)
    regions = []
    for number, window in enumerate(find_objects(labels), start=1):
        is_here = labels[window] == number
        values = probability.values[window][is_here]
        corner = (window[0].start, window[1].start)
        boxes = list(_boxes(is_here, corner, probability))
        regions.append(
            Region(
                union_all(boxes).normalize(), float(values.mean()), float(values.max())
            )
        )
    return regions


def _boxes(
    is_here: npt.NDArray[np.bool_], corner: tuple[int, int], of: ProbabilityMap
) -> Iterator[Any]:
    """Each run of cells in a row, as a rectangle in px of the slide."""
    from shapely import box

    height, width = of.shape
    x, y = of.corner
    edges = np.diff(np.pad(is_here.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    # Row by row, so that the i-th start and the i-th end belong together.
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    for row, start, end in zip(rows + corner[0], starts + corner[1], ends + corner[1]):
        yield box(
            x + start * of.cell,
            y + row * of.cell,
            x + min(end * of.cell, width),
            y + min((row + 1) * of.cell, height),
        )
