"""A slide with something laid over it, and what is written around it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.typing import ColorType

from gastric_keras.figures.style import STYLE
from gastric_keras.heatmap.probability_map import ProbabilityMap, Region
from gastric_keras.support.fonts import choose_fonts

#: From blue to yellow, evenly in lightness: it prints gray, color-blind readers can
#: tell its ends apart, and no H&E looks like it.
COLORS = colormaps["viridis"]
#: Inches: longer side of the slide; room above, below, and for the bar; least width.
_LONG, _TOP, _BOTTOM, _BAR, _LEAST = 9.0, 0.75, 0.75, 1.75, 6.0
#: Dots an inch at least: of a small picture the letters too must be drawn.
_LEAST_DPI = 80.0
#: Share of the slide's width that a scale bar may take.
_SCALE_SHARE = 0.25


@dataclass(frozen=True)
class Caption:
    """What is written around the picture.

    Attributes:
        title: one line.
        subtitle: smaller, one line.
        mpp: µm/px of the slide at full resolution; 0: not known, no scale bar.
    """

    title: str
    subtitle: str
    mpp: float


@dataclass(frozen=True)
class Layer:
    """What is laid over the slide, and how it is explained.

    Attributes:
        cells: (rows, columns) float in [0, 1], masked where nothing was read; or
            (rows, columns, 4) float, RGBA.
        outlines: regions and the colors of their outlines.
        draw_key: draws the color bar or the colors' names, beside the slide.
        handles: of the legend below the slide.
        names: of the handles.
    """

    cells: np.ndarray
    outlines: list[tuple[Region, ColorType]]
    draw_key: Callable[[Axes], None]
    handles: list[Line2D | Patch]
    names: list[str]


def compose(
    view: npt.NDArray[np.uint8],
    frame: ProbabilityMap,
    layer: Layer,
    *,
    caption: Caption,
    opacity: float,
) -> bytes:
    """Draw a slide, a layer over it, and both explained.

    Args:
        view: (h, w, 3) uint8 RGB, the part of the slide that the map covers, shrunk.
        frame: where the cells of the layer lie.
        layer: what is laid over.
        caption: what is written.
        opacity: of the layer, in [0, 1].

    Returns:
        PNG, whose picture of the slide is about as large as the view, or larger where
        that is under 720 px.
    """
    height, width = view.shape[:2]
    scale = _LONG / max(height, width)
    inner = (width * scale, height * scale)
    size = (max(inner[0] + _BAR, _LEAST), inner[1] + _TOP + _BOTTOM)
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        axes = figure.add_axes(
            (0.1 / size[0], _BOTTOM / size[1], inner[0] / size[0], inner[1] / size[1])
        )
        _draw_slide(axes, view, frame, layer, opacity)
        if caption.mpp:
            _draw_scale(axes, frame, caption.mpp)
        key = figure.add_axes(
            (
                (inner[0] + 0.3) / size[0],
                (_BOTTOM + 0.1 * inner[1]) / size[1],
                0.18 / size[0],
                0.8 * inner[1] / size[1],
            )
        )
        layer.draw_key(key)
        _write(figure, caption, layer)
        choose_fonts(figure)
        stream = io.BytesIO()
        dpi = max(max(height, width) / _LONG, _LEAST_DPI)
        figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()


def scale_length(width_um: float) -> int:
    """µm of a scale bar: 1, 2 or 5 times a power of ten, a quarter of the width or
    less.

    Args:
        width_um: of the slide, µm.
    """
    most = max(width_um * _SCALE_SHARE, 1)
    power = 10 ** math.floor(math.log10(most))
    return int(next(k * power for k in (5, 2, 1) if k * power <= most))


def _draw_slide(
    axes: Axes,
    view: npt.NDArray[np.uint8],
    frame: ProbabilityMap,
    layer: Layer,
    opacity: float,
) -> None:
    height, width = frame.shape
    left, top = frame.corner
    axes.imshow(view, extent=(left, left + width, top + height, top))
    rows, columns = layer.cells.shape[:2]
    cell = frame.cell
    axes.imshow(
        layer.cells,
        cmap=COLORS,
        vmin=0,
        vmax=1,
        alpha=opacity,
        interpolation="nearest",
        extent=(left, left + columns * cell, top + rows * cell, top),
    )
    for region, color in layer.outlines:
        for line_color, line in (("white", 3.0), (color, 1.6)):
            outline = _outline(region)
            axes.add_patch(
                PathPatch(outline, fill=False, ec=line_color, lw=line, zorder=3)
            )
    # The cells that the edge cuts reach beyond it.
    axes.set(xlim=(left, left + width), ylim=(top + height, top), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#bbbbbb")


def _outline(region: Region) -> Outline:
    rings = [region.polygon.exterior, *region.polygon.interiors]
    return Outline.make_compound_path(
        *(Outline(np.asarray(ring.coords), closed=True) for ring in rings)
    )


def _draw_scale(axes: Axes, frame: ProbabilityMap, mpp: float) -> None:
    height, width = frame.shape
    x, y = frame.corner
    length = scale_length(width * mpp)
    px = length / mpp
    left, unit = x + 0.03 * width, max(height, width) / 100
    bottom = y + height - 2 * unit
    box = (left - unit, bottom - 4.2 * unit)
    axes.add_patch(
        Rectangle(box, px + 2 * unit, 5.2 * unit, fc="white", ec="none", zorder=4)
    )
    bar = (left, bottom - 0.8 * unit)
    axes.add_patch(Rectangle(bar, px, 0.8 * unit, fc="black", ec="none", zorder=5))
    label = f"{length // 1000} mm" if length >= 1000 else f"{length} µm"
    axes.text(
        left + px / 2,
        bottom - 1.3 * unit,
        label,
        ha="center",
        va="bottom",
        size=9,
        zorder=5,
    )


def _write(figure: Figure, caption: Caption, layer: Layer) -> None:
    height = figure.get_figheight()
    left = 0.1 / figure.get_figwidth()
    figure.text(
        left, 1 - 0.12 / height, caption.title, size=12, va="top", weight="bold"
    )
    figure.text(
        left, 1 - 0.42 / height, caption.subtitle, size=9, va="top", color="#444444"
    )
    figure.legend(
        [*layer.handles, Patch(fc="white", ec="#bbbbbb")],
        [*layer.names, "no color: background, not read"],
        loc="lower left",
        bbox_to_anchor=(0, 0.28 / height),
        ncols=2,
        borderaxespad=0.2,
    )
    figure.text(
        left,
        0.1 / height,
        "Research only: what a network answers, no diagnosis.",
        size=8,
        color="#444444",
    )
