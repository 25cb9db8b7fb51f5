"""The overlay shows the map where it lies."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import colormaps
from PIL import Image

from gastric_keras.heatmap.overlay import ShownClass, draw_overlay
from gastric_keras.heatmap.overlay_frame import Caption, scale_length
from gastric_keras.heatmap.probability_map import ProbabilityMap, find_regions

VALUES = np.array([[0.0, 1.0, np.nan], [np.nan, 0.5, 0.25]], np.float32)
GLASS = (200, 210, 220)


def _draw(opacity: float, level: float, mpp: float) -> npt.NDArray[np.uint8]:
    probability = ProbabilityMap(VALUES, 300, (600, 900))
    view = np.full((600, 900, 3), GLASS, np.uint8)
    png = draw_overlay(
        view,
        probability,
        find_regions(probability, level),
        shown=ShownClass("malignant", 0.5, level),
        caption=Caption("slide.svs", "2 of 4", mpp),
        opacity=opacity,
    )
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _count(picture: npt.NDArray[np.uint8], color: object) -> int:
    near = np.abs(picture.astype(int) - np.asarray(color)).max(axis=2) <= 3
    return int(near.sum())


def test_each_cell_has_its_color_and_the_rest_shows_the_slide() -> None:
    picture = _draw(opacity=1.0, level=2.0, mpp=0)
    assert max(picture.shape) <= 3000
    for value in (0, 0.5, 1, 0.25):
        color = np.array(colormaps["viridis"](float(value))[:3]) * 255
        assert _count(picture, color) > 0.95 * 300**2
    assert 1.9 * 300**2 < _count(picture, GLASS) < 2.05 * 300**2
    through = _draw(opacity=0.5, level=2.0, mpp=0)
    mixed = np.array(colormaps["viridis"](1.0)[:3]) * 255 / 2 + np.array(GLASS) / 2
    assert _count(through, mixed) > 0.95 * 300**2


def test_regions_are_outlined_and_the_scale_is_drawn() -> None:
    without = _draw(opacity=0, level=2.0, mpp=0)
    vermilion = (213, 94, 0)
    assert _count(without, vermilion) == 0
    outlined = _draw(opacity=0, level=0.9, mpp=0)
    # Four sides of 300 px, and the line of the legend.
    assert _count(outlined, vermilion) > 1000
    scaled = _draw(opacity=0, level=2.0, mpp=0.5)
    # 100 µm are 200 px.
    assert (scaled != without).any(axis=2).sum(axis=1).max() == pytest.approx(
        218, abs=4
    )


def test_a_scale_bar_is_a_round_length_of_a_quarter_or_less() -> None:
    lengths = {1000: 200, 799: 100, 20000: 5000, 4: 1, 2220 * 0.499: 200, 8: 2}
    assert {width: scale_length(width) for width in lengths} == lengths
