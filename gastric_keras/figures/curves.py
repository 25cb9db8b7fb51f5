"""ROC and precision-recall plots of one classifier or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from gastric_keras.figures.style import GRAY, STYLE, WIDTH, color_of, png_of, style_of
from gastric_keras.statistics.bands import Band
from gastric_keras.support.text import wrap


@dataclass(frozen=True)
class Curve:
    """One classifier in a ROC or precision-recall plot.

    Attributes:
        name: for the legend.
        label: (n,) 0 or 1, both present.
        score: (n,) float in [0, 1].
        area: area under the curve with the ends of its interval, for the legend; the
            ends may be None.
        threshold: operating point to mark; None: none.
        band: to shade around the curve; None: none.
        style: number of its color and line; None: its place among the curves.
    """

    name: str
    label: np.ndarray
    score: np.ndarray
    area: tuple[float, float | None, float | None]
    threshold: float | None = None
    band: Band | None = None
    style: int | None = None


def plot_roc(
    path: Path | None, *, curves: Sequence[Curve], title: str = "ROC"
) -> bytes:
    """ROC curves, each with its AUC in the legend and its operating point marked.

    Args:
        path: PNG to write; None: only return it.
        curves: one or several.
        title: of the plot.

    Returns:
        The PNG.
    """
    with rc_context(STYLE):
        figure, axes = _square(title, rows=len(curves))
        axes.plot([0, 1], [0, 1], ":", color=GRAY, lw=1)
        for place, curve in enumerate(curves):
            i = place if curve.style is None else curve.style
            x, y, _ = roc_curve(curve.label, curve.score, drop_intermediate=False)
            _shade(axes, curve, i)
            axes.plot(x, y, label=_legend(curve, "AUC"), clip_on=False, **style_of(i))
            if curve.threshold is not None:
                called = curve.score >= curve.threshold
                _mark(
                    axes,
                    called[curve.label == 0].mean(),
                    called[curve.label == 1].mean(),
                    i,
                )
        axes.set_xlabel("1 − specificity")
        axes.set_ylabel("sensitivity")
        _finish(figure, axes, curves)
        return png_of(figure, path)


def plot_roc_panels(
    path: Path | None,
    *,
    panels: Mapping[str, Sequence[Curve]],
    columns: int | None = None,
    styles: Mapping[str, int] | None = None,
) -> bytes:
    """ROC curves in panels, as in figures 6 and 8 of the paper.

    Args:
        path: PNG to write; None: only return it.
        panels: title -> curves; curves of one name (the seeds of one setting) share
            color and legend, which gives the mean of their areas.
        columns: of the grid of panels; None: 2 or 3.
        styles: name of a curve -> its place in the palette; None: by their order in
            each panel.

    Returns:
        The PNG.
    """
    if columns is None:
        columns = 2 if len(panels) % 2 == 0 else min(3, len(panels))
    rows = -(-len(panels) // columns)
    with rc_context(STYLE):
        figure = Figure((3.6 * columns + 0.4, 3.7 * rows + 0.3), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (title, curves) in zip(grid.flat, panels.items(), strict=False):
            _panel(axes, curves, styles or {})
            axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=title)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        figure.supxlabel("1 − specificity", size=10)
        figure.supylabel("sensitivity", size=10)
        return png_of(figure, path)


def _panel(axes: Axes, curves: Sequence[Curve], styles: Mapping[str, int]) -> None:
    axes.plot([0, 1], [0, 1], ":", color=GRAY, lw=1)
    for i, name in enumerate(dict.fromkeys(curve.name for curve in curves)):
        same = [curve for curve in curves if curve.name == name]
        mean = np.mean([curve.area[0] for curve in same])
        legend = f"{name}: {mean:.3f}"
        legend += f" ({len(same)} seeds)" if len(same) > 1 else ""
        style = style_of(styles.get(name, i)) | {"lw": 1.8 / len(same) ** 0.5}
        for curve in same:
            x, y, _ = roc_curve(curve.label, curve.score, drop_intermediate=False)
            axes.plot(x, y, label=legend, **style)
            legend = "_"
    axes.legend(loc="lower right", title="AUC")


def plot_precision_recall(
    path: Path | None, *, curves: Sequence[Curve], title: str = "Precision and recall"
) -> bytes:
    """Precision against recall of the positive class; dotted: the share of positives.

    Args:
        path: PNG to write; None: only return it.
        curves: one or several; ``area`` is the average precision.
        title: of the plot.

    Returns:
        The PNG.
    """
    with rc_context(STYLE):
        figure, axes = _square(title, rows=len(curves))
        for i, curve in enumerate(curves):
            axes.axhline(np.mean(curve.label), ls=":", lw=1, color=GRAY)
            precision, recall, _ = precision_recall_curve(curve.label, curve.score)
            _shade(axes, curve, i)
            axes.step(
                recall,
                precision,
                where="post",
                label=_legend(curve, "AP"),
                **style_of(i),
            )
            called = curve.score >= (2 if curve.threshold is None else curve.threshold)
            if called.any():
                hits = called & (curve.label == 1)
                _mark(
                    axes, hits.sum() / curve.label.sum(), hits.sum() / called.sum(), i
                )
        axes.set_xlabel("recall (sensitivity)")
        axes.set_ylabel("precision")
        _finish(figure, axes, curves)
        return png_of(figure, path)


def _square(title: str, rows: int) -> tuple[Figure, Axes]:
    """Axes of the unit square, with room for a legend of so many rows below."""
    figure = Figure((WIDTH, WIDTH + 0.1 + 0.36 * rows), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=title)
    return figure, axes


def _shade(axes: Axes, curve: Curve, index: int) -> None:
    if curve.band is not None:
        band, color = curve.band, color_of(index)
        axes.fill_between(band.x, band.low, band.high, color=color, alpha=0.15, lw=0)


def _mark(axes: Axes, x: float, y: float, index: int) -> None:
    axes.plot(
        x,
        y,
        "o",
        ms=9,
        mfc="white",
        mew=2,
        color=color_of(index),
        clip_on=False,
        zorder=3,
    )


def _legend(curve: Curve, area: str) -> str:
    value, low, high = curve.area
    ends = "" if low is None or high is None else f" ({low:.3f}–{high:.3f})"
    name = "\n".join(wrap(curve.name, 48, break_long_words=False))
    gap = "\n" if len(curve.name) > 22 else " "
    return f"{name}:{gap}{area} {value:.3f}{ends}"


def _finish(figure: Figure, axes: Axes, curves: Sequence[Curve]) -> None:
    if any(curve.threshold is not None for curve in curves):
        axes.plot([], [], "o", mfc="white", mew=2, color=GRAY, label="operating point")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center")
