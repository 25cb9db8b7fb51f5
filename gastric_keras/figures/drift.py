"""Plots of two samples side by side: their scores, and the look of their cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gastric_keras.figures.style import STYLE, WIDTH, color_of, png_of, style_of
from gastric_keras.support.text import visible, wrap


@dataclass(frozen=True)
class Points:
    """A group of a scatter plot.

    Attributes:
        name: for the legend.
        x: (n,) float.
        y: (n,) float.
    """

    name: str
    x: np.ndarray
    y: np.ndarray


def plot_score_drift(
    path: Path | None, *, panels: Mapping[str, Mapping[str, np.ndarray]], positive: str
) -> bytes:
    """Distribution functions of the scores, a panel for each true class.

    Args:
        path: PNG to write; None: only return it.
        panels: true class -> name of a sample -> (n,) float in [0, 1].
        positive: the class whose probability it is.

    Returns:
        The PNG.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH, 0.6 + 2.3 * len(panels)), layout="constrained")
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (label, samples) in zip(rows, panels.items(), strict=True):
            for i, (name, score) in enumerate(samples.items()):
                order = np.sort(score)
                share = np.arange(1, order.size + 1) / max(order.size, 1)
                axes.step(
                    [0, *order, 1],
                    [0, *share, 1],
                    where="post",
                    label="\n".join(wrap(visible(name), 30)),
                    **style_of(i),
                )
            title = f"patches that are {visible(label)}"
            axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share at or below", title=title)
        rows[-1].set_xlabel(f"probability of {visible(positive)}")
        handles = rows[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2)
        return png_of(figure, path)


def plot_appearance(path: Path | None, *, groups: Sequence[Points]) -> bytes:
    """A point for each case: its mean hematoxylin against its mean eosin.

    Args:
        path: PNG to write; None: only return it.
        groups: samples, in the order of their colors.

    Returns:
        The PNG.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH, WIDTH), layout="constrained")
        axes = figure.subplots()
        for i, group in enumerate(groups):
            axes.plot(
                group.x,
                group.y,
                "os^D"[i % 4],
                ms=5,
                mfc="none",
                mew=1.3,
                color=color_of(i),
                label="\n".join(wrap(visible(group.name), 30)),
            )
        axes.set(
            xlabel="mean hematoxylin (optical density)",
            ylabel="mean eosin (optical density)",
            title="Stain of each case",
        )
        handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2)
        return png_of(figure, path)
