"""Every plot, as PNG: written to a file, returned as bytes, or both.

No global state of pyplot is touched: these run in threads and beside a user's own
plots. The style is that of ``drawing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from gastric_keras.figures.blocks import plot_blocks
from gastric_keras.figures.curves import (
    Curve,
    plot_precision_recall,
    plot_roc,
    plot_roc_panels,
)
from gastric_keras.figures.filters import plot_filters
from gastric_keras.figures.overlay import plot_overlay
from gastric_keras.figures.referral import plot_referral
from gastric_keras.figures.responses import plot_responses
from gastric_keras.figures.style import (
    BLUE,
    GRAY,
    ORANGE,
    STYLE,
    VERMILION,
    WIDTH,
    color_of,
    png_of,
    style_of,
)
from gastric_keras.runs.fit_scores import score_of
from gastric_keras.support.errors import InputError
from gastric_keras.support.text import visible, wrap

__all__ = [
    "Curve",
    "Difference",
    "plot_blocks",
    "plot_confusion",
    "plot_differences",
    "plot_filters",
    "plot_history",
    "plot_overlay",
    "plot_precision_recall",
    "plot_referral",
    "plot_reliability",
    "plot_responses",
    "plot_roc",
    "plot_roc_panels",
]


@dataclass(frozen=True)
class Difference:
    """One row of a forest plot: a difference with the ends of its interval.

    Attributes:
        name: for the axis.
        value: the difference.
        low: lower end of the interval; None: not defined, only the point is drawn.
        high: upper end.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def plot_history(
    path: Path | None, *, history: Mapping[str, Sequence[float]], title: str
) -> bytes:
    """Learning curves of one stage: losses above, the score that chose below.

    Args:
        path: PNG to write; None: only return it.
        history: column -> one value an epoch: epoch (from 0), loss, and where there
            are, val_loss and the score of the task, such as val_auc.
        title: of the stage.

    Returns:
        The PNG.
    """
    score = score_of(history)
    with rc_context(STYLE):
        figure = Figure((WIDTH, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        epoch = np.asarray(history["epoch"], float) + 1
        for key, name, color, line in (
            ("loss", "training", BLUE, "-"),
            ("val_loss", "validation", VERMILION, "--"),
        ):
            if key in history:
                upper.plot(
                    epoch, history[key], line, color=color, marker=".", label=name
                )
        upper.set_ylabel(f"loss ({score.loss})")
        upper.set_title(title)
        upper.legend()
        values = np.asarray(history.get(score.column, ()), float)
        if np.isfinite(values).any():
            lower.plot(epoch, values, color=VERMILION, marker=".")
            best = int(np.nanargmax(score.sign * values))
            lower.plot(epoch[best], values[best], "o", mfc="none", ms=10, color="black")
            lower.set_title(
                f"best: {values[best]:.3f} at epoch {epoch[best]:.0f}", size=10
            )
            # Margins would show AUCs above 1 and an epoch 0.
            lower.set_ylim(top=min(lower.get_ylim()[1], 1.01))
        lower.set_xlim(epoch[0] - 0.5, epoch[-1] + 0.5)
        lower.set_ylabel(score.name)
        lower.set_xlabel("epoch")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        return png_of(figure, path)


def plot_reliability(
    path: Path | None,
    *,
    label: np.ndarray,
    scores: Mapping[str, np.ndarray],
    bins: int = 10,
    title: str = "Reliability",
    share: str = "share of positives",
    given: str = "predicted probability of the positive class",
) -> bytes:
    """Share of positives against predicted probability, and how many in each bin.

    Args:
        path: PNG to write; None: only return it.
        label: (n,) 0 or 1.
        scores: name, such as "before scaling" -> (n,) float in [0, 1].
        bins: number of bins of equal width.
        title: of the plot.
        share: what is counted, for the upper axis.
        given: whose probability it is, for the lower axis.

    Returns:
        The PNG.
    """
    edges = np.arange(bins) / bins
    width = 1 / bins / len(scores)
    with rc_context(STYLE):
        figure = Figure((WIDTH, 5.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
        upper.plot([0, 1], [0, 1], ":", color=GRAY, lw=1, label="perfect")
        for i, (name, score) in enumerate(scores.items()):
            index = np.minimum((score * bins).astype(int), bins - 1)
            count = np.bincount(index, minlength=bins)
            filled = count > 0
            mean = np.bincount(index, score, bins)[filled] / count[filled]
            hits = np.bincount(index, label, bins)[filled] / count[filled]
            upper.plot(mean, hits, marker="os"[i % 2], label=name, **style_of(i))
            lower.bar(
                edges + i * width, count, width, align="edge", color=color_of(i), lw=0
            )
        upper.set(ylim=(0, 1), xlim=(0, 1), ylabel=share, title=title)
        upper.legend(loc="upper left")
        lower.set(xlabel=given, ylabel="rows")
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        return png_of(figure, path)


def plot_confusion(
    path: Path | None,
    *,
    confusion: Sequence[Sequence[int]],
    classes: Sequence[str],
    title: str = "Confusion",
) -> bytes:
    """Confusion matrix: counts, and the share of each true class.

    Args:
        path: PNG to write; None: only return it.
        confusion: (k, k) counts, row = truth, column = call.
        classes: (k,) names in that order.
        title: of the plot.

    Returns:
        The PNG.
    """
    counts = np.asarray(confusion)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ticks = np.arange(len(classes))
    is_many = len(classes) > 2
    names = ["\n".join(wrap(visible(name), 24 if is_many else 12)) for name in classes]
    # A cell of more than two classes needs room for its figures.
    width = max(WIDTH, 1.1 * len(classes) + 1.6)
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure((width, 3.9 * width / WIDTH), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            axes.text(
                column,
                row,
                f"{count:,}\n{share[row, column]:.1%}",
                ha="center",
                va="center",
                size=12,
                color="white" if share[row, column] > 0.55 else "black",
            )
        # Side by side, the names of many classes would run into each other.
        axes.set_xticks(ticks, names)
        axes.set_yticks(ticks, names)
        if is_many:
            for text in axes.get_xticklabels():
                text.set(rotation=30, ha="right", rotation_mode="anchor")
        axes.set(xlabel="called", ylabel="truth", title=title)
        bar = figure.colorbar(image, shrink=0.85, format=PercentFormatter(1))
        bar.set_label("share of the true class")
        return png_of(figure, path)


def plot_differences(
    path: Path | None,
    *,
    rows: Sequence[Difference],
    label: str = "difference in AUC (two stages − one stage)",
    published: tuple[float, float] | None = None,
    title: str = "Does the second stage help?",
) -> bytes:
    """Forest plot: each difference with its interval, and the line of no difference.

    Args:
        path: PNG to write; None: only return it.
        rows: from top to bottom.
        label: of the axis, with what is subtracted from what.
        published: a range to shade for comparison; None: none.
        title: of the plot.

    Returns:
        The PNG.
    """
    if not rows:
        raise InputError(
            "rows must have at least one difference to plot, got (). Give finished "
            "runs of one and of two stages."
        )
    with rc_context(STYLE):
        figure = Figure((WIDTH + 1, 2.0 + 0.5 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color="black", lw=1)
        if published:
            axes.axvspan(
                *published,
                color=ORANGE,
                alpha=0.25,
                lw=0,
                label="published range, Qu et al. 2018",
            )
            figure.legend(loc="outside lower center")
        for y, row in enumerate(rows):
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [y, y], color=BLUE, lw=2)
                axes.plot([row.low, row.high], [y, y], "|", color=BLUE, ms=9)
            axes.plot(row.value, y, "o", color=BLUE, ms=7)
        axes.set_yticks(range(len(rows)), ["\n".join(wrap(r.name, 26)) for r in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        # All digits that a tick has: -0.015 is not -0.01.
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:+.4g}" if x else "0")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set(xlabel=label, title=title)
        return png_of(figure, path)
