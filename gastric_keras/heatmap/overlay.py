"""The map over the slide as one picture: of one class, or of the called classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gastric_keras.figures.style import VERMILION
from gastric_keras.heatmap.overlay_frame import COLORS, Caption, Layer, compose
from gastric_keras.heatmap.probability_map import ProbabilityMap, Region
from gastric_keras.support.text import visible, wrap

#: Letters of a class in a line of the legend.
_NAME = 16


@dataclass(frozen=True)
class ShownClass:
    """The class whose probability is drawn.

    Attributes:
        name: of it.
        threshold: of the model; None: more than two classes.
        level: from which regions are outlined; None: where the class is called.
    """

    name: str
    threshold: float | None
    level: float | None


def draw_overlay(
    view: npt.NDArray[np.uint8],
    probability: ProbabilityMap,
    regions: Sequence[Region],
    *,
    shown: ShownClass,
    caption: Caption,
    opacity: float,
) -> bytes:
    """Draw the map of one class over the slide, with its legend.

    Args:
        view: (h, w, 3) uint8 RGB, the part of the slide that the map covers, shrunk.
        probability: the map; where it is NaN the slide shows as it is.
        regions: outlined.
        shown: the class.
        caption: what is written.
        opacity: of the map, in [0, 1].

    Returns:
        PNG, whose picture of the slide is about as large as the view, or larger where
        that is under 720 px.
    """
    region: Line2D | Patch = Line2D([], [], color=VERMILION, lw=2)
    if shown.level is None:
        words = f"called {shown.name}" if regions else f"nowhere called {shown.name}"
    else:
        words = "at or above" if regions else "nowhere at"
        words += f" {shown.level:.2f}"
    if not regions:
        region = Patch(fc="none", ec="none")
    layer = Layer(
        cells=np.ma.masked_invalid(probability.values),
        outlines=[(each, VERMILION) for each in regions],
        draw_key=lambda axes: _draw_bar(axes, shown),
        handles=[region],
        names=[words],
    )
    return compose(view, probability, layer, caption=caption, opacity=opacity)


def draw_class_overlay(
    view: npt.NDArray[np.uint8],
    probability: ProbabilityMap,
    regions: Sequence[Sequence[Region]],
    *,
    names: Sequence[str],
    colors: Sequence[tuple[int, int, int]],
    caption: Caption,
    opacity: float,
) -> bytes:
    """Draw over the slide which class each place is called, in the class's color.

    Args:
        view: as of :func:`draw_overlay`.
        probability: the maps of all classes, (rows, columns, classes).
        regions: of each class, outlined.
        names: of the classes, as the legend says them.
        colors: of the classes, 0 to 255.
        caption: what is written.
        opacity: of the colors, in [0, 1].

    Returns:
        PNG, see :func:`draw_overlay`.
    """
    shares = [(red / 255, green / 255, blue / 255) for red, green, blue in colors]
    # Background has no color at all.
    table = np.array([*((*color, 1.0) for color in shares), (0.0, 0.0, 0.0, 0.0)])
    is_read = ~np.isnan(probability.values[..., 0])
    called = np.where(is_read, probability.values.argmax(axis=-1), len(shares))
    layer = Layer(
        cells=table[called],
        outlines=[
            (region, color)
            for color, found in zip(shares, regions, strict=True)
            for region in found
        ],
        draw_key=lambda axes: _draw_names(axes, names, shares),
        handles=[],
        names=[],
    )
    return compose(view, probability, layer, caption=caption, opacity=opacity)


def _draw_bar(axes: Axes, shown: ShownClass) -> None:
    threshold = shown.threshold
    mappable = ScalarMappable(Normalize(0, 1), COLORS)
    axes.figure.colorbar(mappable, cax=axes, ticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_title(f"{shown.name}\nprobability", size=9, pad=10, loc="left")
    if threshold is None:
        return
    axes.axhline(threshold, color="black", lw=2, xmin=-0.2, xmax=1.2)
    axes.annotate(
        f"◂ threshold\n    {threshold:.2f}",
        (1, threshold),
        xytext=(36, 0),
        textcoords="offset points",
        va="center",
        size=8,
    )


def _draw_names(
    axes: Axes, names: Sequence[str], colors: Sequence[tuple[float, float, float]]
) -> None:
    axes.set_axis_off()
    axes.legend(
        [Patch(fc=color, ec="none") for color in colors],
        ["\n".join(wrap(visible(name), _NAME)) for name in names],
        title="called",
        loc="upper left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0,
        alignment="left",
        handlelength=1.2,
        fontsize=8,
        title_fontsize=9,
    )
