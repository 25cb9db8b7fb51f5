"""The pictures of a comparison: ROC, differences, and AUC against expert labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from gastric_keras.comparison.finished_runs import FinishedRun
from gastric_keras.comparison.paths import ONE_STAGE
from gastric_keras.comparison.published import GAIN_RANGE
from gastric_keras.comparison.results import Comparison, Efficiency
from gastric_keras.config.backbones import find_backbone
from gastric_keras.figures import plots as figures
from gastric_keras.figures.style import (
    GREEN,
    PALETTE,
    STYLE,
    VERMILION,
    color_of,
    png_of,
    style_of,
)

#: Network and subset -> the curves to draw in its panel.
_Panels = dict[tuple[str, str], list[figures.Curve]]


def draw_comparison(
    runs: Sequence[FinishedRun], comparison: Comparison, out: Path
) -> None:
    """Write ``roc.png``, and where there is something to show ``roc_<set>.png`` of
    each mid-level set, ``differences.png`` and ``labels.png``.

    Args:
        runs: that were compared.
        comparison: of them.
        out: folder to write to.
    """
    panels = _panels(runs)
    if panels:
        titles = {cell: _spell_cell(cell) for cell in panels}
        figures.plot_roc_panels(
            out / "roc.png",
            panels={titles[cell]: curves for cell, curves in panels.items()},
        )
    _draw_stages(panels, out)
    rows = [
        figures.Difference(
            f"{find_backbone(d.backbone).title}, {d.subset}, {d.path}",
            d.clustered.difference,
            d.clustered.low,
            d.clustered.high,
        )
        for d in comparison.differences
    ]
    rows += [
        figures.Difference(
            f"{v.about}, pooled",
            v.clustered.difference,
            v.clustered.low,
            v.clustered.high,
        )
        for v in comparison.verdicts
        if v.clustered.settings > 1
    ]
    if rows:
        figures.plot_differences(
            out / "differences.png", rows=rows, published=GAIN_RANGE
        )
    if comparison.efficiency:
        plot_efficiency(out / "labels.png", curves=comparison.efficiency)


def _panels(runs: Sequence[FinishedRun]) -> _Panels:
    """Network and subset -> the curves of its runs; controls are not among them."""
    panels: _Panels = {}
    for run in runs:
        area = run.scores.test.patch.scores["auc"]
        if area.value is not None and not run.is_control:
            curve = figures.Curve(
                run.path,
                run.label,
                run.score,
                (area.value, area.low, area.high),
            )
            panels.setdefault(run.cell, []).append(curve)
    return panels


def _spell_cell(cell: tuple[str, str]) -> str:
    return f"{find_backbone(cell[0]).title}, {cell[1]}"


def _draw_stages(panels: _Panels, out: Path) -> None:
    """Two stages against one, a picture for each mid-level set: figures 6 and 8.

    A row for each subset and a column for each network, where there is every panel.
    """
    networks = list(dict.fromkeys(network for network, _ in panels))
    subsets = list(dict.fromkeys(subset for _, subset in panels))
    names = dict.fromkeys(curve.name for curves in panels.values() for curve in curves)
    for mid in names:
        shown = {
            _spell_cell((network, subset)): [
                curve
                for curve in panels[network, subset]
                if curve.name in (ONE_STAGE, mid)
            ]
            for subset in subsets
            for network in networks
            if {ONE_STAGE, mid}
            <= {curve.name for curve in panels.get((network, subset), ())}
        }
        if mid == ONE_STAGE or len(shown) < 2:
            # One panel would repeat roc.png.
            continue
        is_whole = len(shown) == len(networks) * len(subsets)
        figures.plot_roc_panels(
            out / f"roc_{mid}.png",
            panels=shown,
            columns=len(networks) if is_whole else None,
            # The paper's colors: two stages red, one stage green.
            styles={mid: PALETTE.index(VERMILION), ONE_STAGE: PALETTE.index(GREEN)},
        )


def plot_efficiency(path: Path | None, *, curves: Sequence[Efficiency]) -> bytes:
    """A panel for each network; bands are intervals over cases and seeds.

    Args:
        path: PNG to write; None: only return it.
        curves: of one network or several; a path keeps its color in every panel.

    Returns:
        The PNG.
    """
    networks = list(dict.fromkeys(curve.backbone for curve in curves))
    names = list(dict.fromkeys(curve.path for curve in curves))
    with rc_context(STYLE):
        figure = Figure((4.2 * len(networks) + 0.6, 4.2), layout="constrained")
        panels = figure.subplots(1, len(networks), squeeze=False, sharey=True)[0]
        for axes, network in zip(panels, networks, strict=True):
            mine = [curve for curve in curves if curve.backbone == network]
            _panel(axes, mine, names)
            axes.set(title=find_backbone(network).title, xlabel="expert labels a class")
        panels[0].set_ylabel("test AUC")
        panels[-1].legend(loc="lower right")
        return png_of(figure, path)


def _panel(axes: Axes, curves: Sequence[Efficiency], names: Sequence[str]) -> None:
    axes.set_xscale("log")
    ticks = sorted({point.labels for curve in curves for point in curve.points})
    for curve in curves:
        index = names.index(curve.path)
        labels = [point.labels for point in curve.points]
        axes.plot(
            labels,
            [point.auc for point in curve.points],
            marker="o",
            ms=4,
            label=curve.path,
            **style_of(index),
        )
        band = [
            (point.labels, point.low, point.high)
            for point in curve.points
            if point.low is not None and point.high is not None
        ]
        if band:
            where, low, high = zip(*band, strict=True)
            axes.fill_between(where, low, high, color=color_of(index), alpha=0.13, lw=0)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:.0f}" for tick in ticks])
