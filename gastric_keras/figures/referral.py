"""Accuracy against the share of patches that are referred."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gastric_keras.figures.style import STYLE, WIDTH, color_of, png_of, style_of
from gastric_keras.statistics.referral import ReferralCurve


def plot_referral(path: Path | None, *, curves: Mapping[str, ReferralCurve]) -> bytes:
    """A line for each way to order the patches, with its interval by case.

    Args:
        path: PNG to write; None: only return it.
        curves: name for the legend -> curve.

    Returns:
        The PNG.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        for i, (name, curve) in enumerate(curves.items()):
            if curve.low:
                axes.fill_between(
                    curve.shares, curve.low, curve.high, alpha=0.15, color=color_of(i)
                )
            axes.plot(curve.shares, curve.accuracy, label=name, **style_of(i))
        axes.set(
            xlabel="share referred, the least sure first",
            ylabel="accuracy of the rest",
            title="Referral",
            xlim=(0, max(next(iter(curves.values())).shares)),
        )
        axes.set_ylim(top=1.0)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.legend(loc="lower right", title="doubt by")
        return png_of(figure, path)
