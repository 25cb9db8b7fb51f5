"""Responses of every block of a network, stage by stage: the paper's figure 7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gastric_keras.figures.responses import most_changed
from gastric_keras.figures.style import STYLE, png_of
from gastric_keras.support.errors import require
from gastric_keras.support.text import wrap

#: Channels of a block, two by two.
CHANNELS = 4
#: Inches of a block's four maps.
_SIDE = 1.75


def plot_blocks(
    path: Path | None,
    *,
    patch: np.ndarray,
    responses: Mapping[str, Mapping[str, np.ndarray]],
    title: str,
) -> bytes:
    """Filter responses of all blocks to one patch: columns blocks, rows stages.

    Of each block the four channels that changed most between the first and the last
    stage (:func:`gastric_keras.figures.responses.most_changed`), the same in all
    stages. Each channel has one color scale, from its least to its largest response.

    Args:
        path: PNG to write; None: only return it.
        patch: (h, w, 3) uint8.
        responses: name of the stage -> name of the block -> (h', w', c) float; the
            same blocks and shapes in every stage.
        title: of the plot.

    Returns:
        The PNG.

    Raises:
        InputError: no stage, or stages of different blocks or shapes.
    """
    shapes = [
        {b: np.shape(r) for b, r in found.items()} for found in responses.values()
    ]
    require(
        len(shapes) > 0 and bool(shapes[0]) and all(s == shapes[0] for s in shapes),
        "Responses must be of at least one stage, all of the same blocks and shapes",
        "Take the same layers and patch.",
        stages=dict(zip(responses, shapes, strict=True)),
    )
    stages, blocks = list(responses), list(shapes[0])
    with rc_context(STYLE | {"axes.grid": False, "font.size": 9}):
        size = (_SIDE * (len(blocks) + 1), _SIDE * len(stages) + 1.1)
        figure = Figure(size, layout="constrained")
        grid = figure.add_gridspec(len(stages), len(blocks) + 1)
        picture = figure.add_subplot(grid[:, 0])
        picture.imshow(patch)
        picture.set_title(f"patch\n{patch.shape[1]} × {patch.shape[0]} px", size=9)
        picture.set_axis_off()
        for column, block in enumerate(blocks, start=1):
            maps = [np.asarray(responses[s][block], np.float64) for s in stages]
            chosen = most_changed(maps, CHANNELS)
            for row, mosaic in enumerate(_mosaics(maps, chosen)):
                axes = figure.add_subplot(grid[row, column])
                axes.imshow(mosaic, cmap="viridis", vmin=0, vmax=1)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                if row == 0:
                    axes.set_title(_head(block, maps[0], chosen), size=9)
                if column == 1:
                    axes.set_ylabel("\n".join(wrap(stages[row], 16)), size=10)
        figure.suptitle(title, size=11)
        return png_of(figure, path)


def _head(block: str, response: np.ndarray, chosen: np.ndarray) -> str:
    height, width = response.shape[:2]
    numbers = ", ".join(map(str, chosen))
    return f"{block}\n{width} × {height}, channels\n{numbers}"


def _mosaics(maps: Sequence[np.ndarray], chosen: np.ndarray) -> list[np.ndarray]:
    """Of each stage the chosen channels two by two in [0, 1], NaN between."""
    stacked = np.stack([response[..., chosen] for response in maps])
    low = stacked.min(axis=(0, 1, 2))
    spread = stacked.max(axis=(0, 1, 2)) - low
    scaled = (stacked - low) / np.where(spread > 0, spread, 1)
    height, width = stacked.shape[1:3]
    gap = max(1, width // 28)
    shown = np.full((len(maps), 2 * height + gap, 2 * width + gap), np.nan)
    for place in range(len(chosen)):
        top, left = place // 2 * (height + gap), place % 2 * (width + gap)
        shown[:, top : top + height, left : left + width] = scaled[..., place]
    return list(shown)
