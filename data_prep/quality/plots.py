"""The pictures of a set's figures: nuclei by cluster, stain by class."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.quality.measure import Sample, is_leveled
from gastric_keras.records.manifest import Manifest
from gastric_keras.support.fonts import choose_fonts

#: Okabe and Ito (jfly.uni-koeln.de/color): the color-blind tell them apart. Markers and
#: lines differ too, so that a gray print still reads.
_COLORS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "pink": "#CC79A7",
    "orange": "#E69F00",
    "light blue": "#56B4E9",
}
_PALETTE = tuple(_COLORS.values())
_MARKERS = ("o", "^", "s", "D", "v", "P")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 3)))
#: Points in a scatter: more hide each other.
_POINTS = 1500
#: Inches; narrow, so that 10 pt text is still legible on a phone of 360 px.
_SIZE = (4.8, 3.8)
_DPI = 150
STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def spell_colors(classes: Sequence[str]) -> str:
    """The legend of both plots in words: ``benign: blue, malignant: vermilion``.

    A page spells names that no font of the machine can draw.

    Args:
        classes: of the set, in the order of their labels.
    """
    colors = list(_COLORS)
    return ", ".join(f"{c}: {colors[i % len(colors)]}" for i, c in enumerate(classes))


def plot_nuclei(look: Sample, manifest: Manifest) -> bytes:
    """Patches by nuclei count and total area, with the boundary of k-means.

    Args:
        look: with nuclei.
        manifest: of the set; without a clustering in its config no boundary is drawn.

    Returns:
        A PNG.
    """
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure, axes = _axes()
        draw_plane(axes, look, manifest)
        figure.legend(loc="outside upper left", ncols=3, markerscale=2.5, frameon=False)
        return png_of(figure)


def draw_plane(axes: Any, look: Sample, manifest: Manifest) -> None:
    """The plane in which k-means ran: patches, centers and boundary.

    Args:
        axes: Matplotlib's, to draw on.
        look: with nuclei.
        manifest: of the set; without a clustering in its config no boundary is drawn.
    """
    assert look.nuclei is not None
    for label, name in enumerate(manifest.classes):
        count, area = look.nuclei[:_POINTS][look.labels[:_POINTS] == label].T
        axes.scatter(
            count,
            area,
            s=9,
            alpha=0.55,
            linewidths=0,
            color=color_of(label),
            marker=_MARKERS[label % len(_MARKERS)],
            label=name,
        )
    notes = manifest.config.get("clustering")
    if notes:
        _draw_boundary(axes, np.array(notes["centers"]), np.array(notes["std"]))
    leveled = ", leveled" if is_leveled(look.sources, manifest) else ""
    axes.set_xlabel(f"nuclei count{leveled}")
    axes.set_ylabel(f"total nuclei area (px²){leveled}")


def color_of(label: int) -> str:
    """Color of a class, or of one thing among many, as ``#RRGGBB``."""
    return _PALETTE[label % len(_PALETTE)]


def plot_amounts(look: Sample, manifest: Manifest) -> bytes:
    """Share of the patches of each class by their mean amount of hematoxylin.

    Args:
        look: the sample.
        manifest: of the set.

    Returns:
        A PNG.
    """
    from matplotlib import rc_context

    low, high = float(look.amounts.min()), float(look.amounts.max())
    bins = np.linspace(low, high if high > low else low + 1, 41)
    with rc_context(STYLE):
        figure, axes = _axes()
        for label, name in enumerate(manifest.classes):
            amounts = look.amounts[look.labels == label]
            if not len(amounts):
                continue
            axes.stairs(
                np.histogram(amounts, bins)[0] / len(amounts) * 100,
                bins,
                color=color_of(label),
                ls=_LINES[label % len(_LINES)],
                lw=1.8,
                label=name,
            )
        axes.set_xlabel("mean hematoxylin of the patch (optical density)")
        axes.set_ylabel("patches of the class (%)")
        figure.legend(loc="outside upper left", ncols=3, frameon=False)
        return png_of(figure)


def _axes() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _draw_boundary(
    axes: Any, centers: npt.NDArray[np.float64], std: npt.NDArray[np.float64]
) -> None:
    """Where two centers are equally near, in the scaling that k-means ran in."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    x, y = np.meshgrid(np.linspace(left, right, 400), np.linspace(bottom, top, 400))
    gaps = (np.stack([x, y], axis=-1)[..., None, :] - centers) / std
    distance = (gaps**2).sum(axis=-1)
    if distance.shape[-1] == 2:
        # The difference is linear, so that its zero line is drawn straight.
        level, levels = distance[..., 0] - distance[..., 1], np.zeros(1)
    else:
        level = distance.argmin(axis=-1).astype(np.float64)
        levels = np.arange(distance.shape[-1] - 1) + 0.5
    axes.contour(x, y, level, levels=levels, colors="black", linewidths=1.2)
    axes.plot(*centers.T, "X", ms=9, color="black", mec="white", ls="none")


def png_of(figure: Any) -> bytes:
    """A Matplotlib figure as a PNG, without the date or the program in it."""
    choose_fonts(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()
