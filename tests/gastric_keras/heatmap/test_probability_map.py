"""Maps and outlines, on cells counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gastric_keras.heatmap.patches import PatchPlan
from gastric_keras.heatmap.probability_map import ProbabilityMap, draw_map, find_regions

NAN = np.nan


def test_a_cell_is_the_mean_of_the_patches_over_its_center() -> None:
    # 4 px patches every 4 px over 10 × 6 px; the last column ends at the edge.
    origins = np.array([(0, 0), (4, 0), (6, 0), (0, 2), (6, 2)])
    plan = PatchPlan(4, 4, origins, np.ones(5), 6)
    probability = np.array([0.1, 0.3, 0.5, 0.7, 0.9], np.float32)
    drawn = draw_map(plan, probability, (6, 10))
    # Centers: x = 2, 6, 9.5; y = 2, 5.5.
    wanted = [
        [(0.1 + 0.7) / 2, (0.3 + 0.5 + 0.9) / 3, (0.5 + 0.9) / 2],
        [0.7, 0.9, 0.9],
    ]
    np.testing.assert_allclose(drawn.values, wanted, atol=1e-6)
    assert (drawn.cell, drawn.shape) == (4, (6, 10))


@pytest.mark.parametrize("step", [3, 5, 8])
def test_overlapping_patches_equal_counting(step: int) -> None:
    rng = np.random.default_rng(step)
    height, width, side = 61, 47, 8
    every = [(x, y) for y in range(0, height - side, step) for x in range(0, 39, step)]
    origins = rng.permutation(every)[: len(every) // 2]
    plan = PatchPlan(side, step, origins, np.ones(len(origins)), len(every))
    probability = rng.random(len(origins)).astype(np.float32)
    drawn = draw_map(plan, probability, (height, width))
    for row, column in np.ndindex(drawn.values.shape):
        y = min((row + 0.5) * step, height - 0.5)
        x = min((column + 0.5) * step, width - 0.5)
        over = [
            value
            for (left, top), value in zip(origins, probability)
            if left <= x < left + side and top <= y < top + side
        ]
        wanted = np.mean(over) if over else NAN
        np.testing.assert_allclose(drawn.values[row, column], wanted, atol=1e-6)


def test_regions_hang_together_by_their_sides() -> None:
    values = np.array(
        [
            [0.9, 0.8, 0.7, 0.1, NAN],
            [0.6, 0.2, 0.9, NAN, 0.6],
            [0.5, 0.5, 0.5, 0.8, 0.4],
            [NAN, 0.1, 0.3, 0.2, 1.0],
        ],
        np.float32,
    )
    # The slide ends inside the last row and column.
    regions = find_regions(ProbabilityMap(values, 10, (37, 48)), 0.5)
    assert [region.polygon.area for region in regions] == [900, 80, 56]
    ring = regions[0].polygon
    assert ring.is_valid and [hole.area for hole in _holes(ring)] == [100]
    assert regions[1].polygon.bounds == (40, 10, 48, 20)
    # By its corner alone (2, 3) and (3, 4) do not touch.
    assert regions[2].polygon.bounds == (40, 30, 48, 37)
    assert regions[0].highest == pytest.approx(0.9)
    inside = [0.9, 0.8, 0.7, 0.6, 0.9, 0.5, 0.5, 0.5, 0.8]
    assert regions[0].mean == pytest.approx(np.mean(inside))


def _holes(polygon: object) -> list:
    from shapely import Polygon

    return [Polygon(ring) for ring in polygon.interiors]  # type: ignore[attr-defined]


def test_what_equals_the_threshold_is_at_it() -> None:
    value = np.float32(0.5243054628372192)
    values = np.full((1, 1), value)
    assert find_regions(ProbabilityMap(values, 4, (4, 4)), float(value))
    assert not find_regions(ProbabilityMap(values, 4, (4, 4)), 0.5244)
    empty = np.full((3, 3), NAN, np.float32)
    assert find_regions(ProbabilityMap(empty, 4, (12, 12)), 0.5) == []
