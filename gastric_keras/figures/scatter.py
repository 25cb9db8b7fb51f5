"""Predicted against true numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gastric_keras.figures.style import GRAY, STYLE, WIDTH, color_of, png_of

#: Points of a panel: more hide each other.
_POINTS = 1000


def plot_scatter(
    path: Path | None,
    *,
    columns: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str,
) -> bytes:
    """A panel for each quantity, with the line where both are equal.

    Args:
        path: PNG to write; None: only return it.
        columns: name -> (n,) true and (n,) predicted numbers; the first thousand are
            drawn.
        title: of the plot.

    Returns:
        The PNG.
    """
    rows = -(-len(columns) // 2)
    with rc_context(STYLE):
        figure = Figure((WIDTH, 2.3 * rows + 0.4), layout="constrained")
        panels = figure.subplots(rows, 2, squeeze=False).ravel()
        for i, (name, pair) in enumerate(columns.items()):
            truth, predicted = (values[:_POINTS] for values in pair)
            ends = [
                min(truth.min(), predicted.min()),
                max(truth.max(), predicted.max()),
            ]
            panels[i].plot(ends, ends, ":", color=GRAY, lw=1)
            panels[i].plot(truth, predicted, ".", ms=2.5, alpha=0.5, color=color_of(i))
            panels[i].set(title=name, xlabel="true", ylabel="predicted")
        for panel in panels[len(columns) :]:
            panel.axis("off")
        figure.suptitle(title)
        return png_of(figure, path)
