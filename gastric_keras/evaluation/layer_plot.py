"""Linear-probe AUC layer by layer, before and after each stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from gastric_keras.config.experiment import LADDER
from gastric_keras.figures.style import STYLE, WIDTH, png_of, style_of
from gastric_keras.runs.layer_scores import LayerScore


def plot_layers(path: Path | None, *, scores: Sequence[LayerScore]) -> bytes:
    """A line for each stage over the layers.

    Args:
        path: PNG to write; None: only return it.
        scores: of one run, each stage with the same layers.

    Returns:
        The PNG.
    """
    layers = list(dict.fromkeys(score.layer for score in scores))
    with rc_context(STYLE):
        figure = Figure((WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        for i, stage in enumerate(dict.fromkeys(score.stage for score in scores)):
            values = [score.val_auc for score in scores if score.stage == stage]
            style = style_of(i)
            axes.plot(values, marker="o", ms=4, label=LADDER[stage], **style)
        axes.set_xticks(range(len(layers)), layers, rotation=45, ha="right")
        axes.set(ylabel="validation AUC", title="Linear probe of each layer")
        axes.legend(loc="best")
        return png_of(figure, path)
