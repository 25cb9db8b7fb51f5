"""Where the evidence for a decision lies, laid over the patch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from skimage.transform import resize

from gastric_keras.figures.style import STYLE, WIDTH, png_of
from gastric_keras.support.errors import InputError
from gastric_keras.support.text import wrap

#: Its lightness rises with the evidence, for the color-blind and a gray print too.
COLORS = "inferno"
#: Share of the color in the overlay; the rest is the patch in gray.
OPACITY = 0.55


def plot_overlay(
    path: Path | None, *, patch: np.ndarray, evidence: np.ndarray, title: str
) -> bytes:
    """A patch, and beside it the same in gray under a map of evidence.

    Args:
        path: PNG to write; None: only return it.
        patch: (h, w, 3) uint8.
        evidence: (h', w') float ≥ 0, as of ``gradcam.decision_maps``; scaled to its
            largest value here.
        title: of the plot.

    Returns:
        The PNG.

    Raises:
        InputError: another shape, or evidence below 0 or not finite.
    """
    covered = lay_over(patch, evidence)
    with rc_context(STYLE | {"axes.grid": False}):
        lines = wrap(title, 56)
        figure = Figure((WIDTH, 2.25 + 0.18 * len(lines)), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axes, picture, name in (
            (left, patch, "patch"),
            (right, covered, "evidence for the call"),
        ):
            axes.imshow(picture)
            axes.set_title(name, size=9)
            axes.set_axis_off()
        scale = ScalarMappable(Normalize(0, 1), COLORS)
        bar = figure.colorbar(scale, ax=right, shrink=0.9, ticks=[0, 1])
        bar.ax.set_yticklabels(["none", "most"], size=8)
        figure.suptitle("\n".join(lines), size=10)
        return png_of(figure, path)


def lay_over(patch: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """The patch in gray, colored by the evidence.

    Args:
        patch: (h, w, 3) uint8.
        evidence: (h', w') float ≥ 0; enlarged to the patch bilinearly.

    Returns:
        (h, w, 3) float in [0, 1].

    Raises:
        InputError: another shape, or evidence below 0 or not finite.
    """
    patch, evidence = np.asarray(patch), np.asarray(evidence, np.float64)
    is_map = evidence.ndim == 2 and np.isfinite(evidence).all() and evidence.min() >= 0
    if patch.ndim != 3 or patch.shape[2] != 3 or not is_map:
        raise InputError(
            "patch must be (h, w, 3) and evidence (h', w') of 0 or more, got "
            f"patch.shape={patch.shape}, evidence.shape={evidence.shape}. Pass one map "
            "of decision_maps."
        )
    scaled = evidence / (evidence.max() or 1)
    full = np.clip(resize(scaled, patch.shape[:2], order=1), 0, 1)
    gray = patch.mean(axis=2, keepdims=True) / 255
    return OPACITY * colormaps[COLORS](full)[..., :3] + (1 - OPACITY) * gray
