"""Filter responses of one layer, stage by stage: the paper's figure 7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from gastric_keras.figures.style import STYLE, png_of
from gastric_keras.support.errors import InputError
from gastric_keras.support.text import wrap


def plot_responses(
    path: Path | None,
    *,
    patch: np.ndarray,
    responses: Mapping[str, np.ndarray],
    title: str,
    channels: int = 8,
) -> bytes:
    """Filter responses of one layer to one patch, stage by stage.

    Rows are stages, columns the same channels throughout: those that changed most
    between the first and the last stage (mean absolute difference), or, of a single
    stage, those that vary most over the patch. Each column has one color scale.

    Args:
        path: PNG to write; None: only return it.
        patch: (h, w, 3) uint8.
        responses: name of the stage -> (h', w', c) float, all of one shape.
        title: of the plot.
        channels: how many to show, at most.

    Returns:
        The PNG.

    Raises:
        InputError: no stage, or stages of different shapes.
    """
    shapes = {name: np.shape(value) for name, value in responses.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 3:
        raise InputError(
            "Responses must be of at least one stage, all of one shape (h, w, c), got "
            f"{shapes}. Take the same layer and patch."
        )
    stages = {name: np.asarray(value, np.float64) for name, value in responses.items()}
    chosen = most_changed(list(stages.values()), channels)
    with rc_context(STYLE | {"axes.grid": False, "font.size": 8}):
        figure = Figure((1.1 * (len(chosen) + 1) + 0.5, 1.1 * len(stages) + 0.9))
        grid = _response_grid(figure, len(stages), len(chosen))
        picture = figure.add_subplot(grid[:-1, 0])
        picture.imshow(patch)
        picture.set_title("patch", size=9)
        picture.set_axis_off()
        for column, channel in enumerate(chosen, start=2):
            images = [value[..., channel] for value in stages.values()]
            axes = [figure.add_subplot(grid[row, column]) for row in range(len(images))]
            _show_channel(axes, images, figure.add_subplot(grid[-1, column]))
            axes[0].set_title(f"channel {channel}", size=9)
            if column == 2:
                for axis, name in zip(axes, stages, strict=True):
                    axis.set_ylabel("\n".join(wrap(name, 14)), size=9)
        figure.suptitle(title, size=11, y=1 - 0.08 / figure.get_figheight(), va="top")
        return png_of(figure, path)


def most_changed(stages: Sequence[np.ndarray], channels: int) -> np.ndarray:
    """Channels to show, most telling first.

    Args:
        stages: (h, w, c) float each, in order.
        channels: how many, at most.

    Returns:
        (≤ channels,) int: by mean absolute difference of the last and the first
        stage, or by variance of the only one.
    """
    first, last = (np.asarray(stages[i], np.float64) for i in (0, -1))
    change = np.abs(last - first).mean(axis=(0, 1))
    order = change if len(stages) > 1 else first.var(axis=(0, 1))
    return np.argsort(-order, kind="stable")[:channels]


def _response_grid(figure: Figure, stages: int, channels: int) -> GridSpec:
    """Columns: patch, room for the names of the stages, channels; last row: bars."""
    width, height = figure.get_size_inches()
    return figure.add_gridspec(
        stages + 1,
        channels + 2,
        width_ratios=[1, 0.25] + [1] * channels,
        height_ratios=[1] * stages + [0.08],
        left=0.1 / width,
        right=1 - 0.15 / width,
        bottom=0.3 / height,
        top=1 - 0.55 / height,
        wspace=0.1,
        hspace=0.1,
    )


def _show_channel(
    axes: Sequence[Axes], images: Sequence[np.ndarray], bar_axes: Axes
) -> None:
    low, high = float(np.min(images)), float(np.max(images))
    high = high if high > low else low + 1
    for axis, image in zip(axes, images, strict=True):
        shown = axis.imshow(image, cmap="viridis", vmin=low, vmax=high)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    bar = bar_axes.figure.colorbar(shown, cax=bar_axes, orientation="horizontal")
    bar.set_ticks([low, high], labels=[_spell_end(low), _spell_end(high)])
    # The ends of neighboring bars must not run into each other.
    left, right = bar_axes.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")


def _spell_end(value: float) -> str:
    """Short enough for half a bar: 0.12, 4.6, 2,400."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"
