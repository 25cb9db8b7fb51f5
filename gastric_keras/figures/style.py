"""Style of every plot, and a figure as PNG.

Colors are those of Okabe & Ito (jfly.uni-koeln.de/color), which color-blind readers
can tell apart; line styles differ too, so that a gray print still reads.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gastric_keras.support.files import write_atomic
from gastric_keras.support.fonts import choose_fonts

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, GRAY = "#E69F00", "#56B4E9", "#666666"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "#000000")
LINES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
#: Inches; narrow, so that 10 pt text is still legible on a phone of 360 px.
WIDTH = 4.8
#: Bytes.
LARGEST_FILE = 300_000
# As Matplotlib takes them: any value by name.
STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Names come from outside, and two dollars in one would be a formula.
    "text.parse_math": False,
}


# As Matplotlib takes them.
def style_of(index: int) -> dict[str, Any]:
    """Color and line style of the i-th curve: distinct for 35 of them."""
    return {"color": color_of(index), "ls": LINES[index % len(LINES)], "lw": 1.8}


def color_of(index: int) -> str:
    """Color of the i-th curve."""
    return PALETTE[index % len(PALETTE)]


def png_of(figure: Figure, path: Path | str | None) -> bytes:
    """A figure as PNG of less than 300 kB.

    Args:
        figure: drawn under ``rc_context(STYLE)``.
        path: file to write, atomically; None: only return the bytes.

    Returns:
        The PNG.
    """
    FigureCanvasAgg(figure)
    choose_fonts(figure)
    for dpi in (160, 100, 60, 40):
        stream = io.BytesIO()
        with rc_context(STYLE):
            figure.savefig(stream, format="png", dpi=dpi)
        png = stream.getvalue()
        if len(png) >= LARGEST_FILE:
            png = with_palette(png)
        if len(png) < LARGEST_FILE:
            break
    if path is not None:
        write_atomic(path, png)
    return png


def with_palette(png: bytes) -> bytes:
    """The same picture in 256 colors instead of 16 million: a third of the size."""
    stream = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256).save(stream, "PNG", optimize=True)
    return stream.getvalue()
