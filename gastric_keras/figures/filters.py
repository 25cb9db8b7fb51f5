"""Kernels of the first convolution as small color pictures, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gastric_keras.figures.responses import most_changed
from gastric_keras.figures.style import STYLE, png_of
from gastric_keras.support.errors import InputError
from gastric_keras.support.text import wrap

#: Kernels shown at most: all those of the three networks.
MOST = 64


def plot_filters(
    path: Path | None, *, kernels: Mapping[str, np.ndarray], title: str
) -> bytes:
    """RGB kernels of one layer in one panel a stage, and what changed.

    Gray is 0. Each kernel has one scale in all stages, that of its largest weight. The
    kernel that changed most (mean absolute difference of the last and the first stage)
    stands first, top left. The last panel is that difference, all kernels magnified by
    the one factor that its title names.

    Args:
        path: PNG to write; None: only return it.
        kernels: name of the stage -> (h, w, 3, c) float, RGB, all of one shape.
        title: of the plot.

    Returns:
        The PNG.

    Raises:
        InputError: no stage, or stages of different shapes.
    """
    shapes = {name: np.shape(value) for name, value in kernels.items()}
    first_shape = next(iter(shapes.values()), ())
    if len(set(shapes.values())) != 1 or len(first_shape) != 4 or first_shape[2] != 3:
        raise InputError(
            "Kernels must be of at least one stage, all of one shape (h, w, 3, c), got "
            f"{shapes}. Take the first convolution of one network."
        )
    panels = _panels({name: np.asarray(k, np.float64) for name, k in kernels.items()})
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure((2.6 * len(panels) + 0.2, 3.3), layout="constrained")
        grid = figure.subplots(1, len(panels), squeeze=False)
        for axes, (name, kernel) in zip(grid.flat, panels.items(), strict=True):
            axes.imshow(mosaic(kernel), interpolation="nearest")
            axes.set_title("\n".join(wrap(name, 24)), size=10)
            axes.set_axis_off()
        figure.suptitle(title, size=11)
        return png_of(figure, path)


def mosaic(kernels: np.ndarray) -> np.ndarray:
    """Kernels side by side in rows, with a white line between.

    Args:
        kernels: (h, w, 3, c) float; -1 is shown as 0, 0 as 0.5, 1 as 1; beyond is cut.

    Returns:
        (rows·(h+1)-1, columns·(w+1)-1, 3) float in [0, 1], as square as it gets.
    """
    height, width, _, count = kernels.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    shown = np.ones((rows * (height + 1) - 1, columns * (width + 1) - 1, 3))
    for i in range(count):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        cell = np.clip(kernels[..., i] / 2 + 0.5, 0, 1)
        shown[top : top + height, left : left + width] = cell
    return shown


def _panels(stages: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = list(stages)
    flat = [stage.reshape(-1, 1, stage.shape[-1]) for stage in stages.values()]
    chosen = most_changed(flat, MOST)
    stacked = np.stack(list(stages.values()))[..., chosen]
    largest = np.abs(stacked).max(axis=(0, 1, 2, 3))
    scaled = stacked / np.where(largest > 0, largest, 1)
    panels = dict(zip(names, scaled, strict=True))
    change = scaled[-1] - scaled[0]
    peak = np.abs(change).max()
    if len(names) > 1 and peak > 0:
        panels[f"{names[-1]} minus {names[0]}, ×{1 / peak:.3g}"] = change / peak
    return panels
