"""Figure of ``benchmarks.speed.large``: processor time and memory against size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.speed.large_process import Measure
from gastric_keras.figures.style import GRAY, STYLE, png_of, style_of

_PREP = ("data_prep nuclei", "data_prep check")


def plot(path: Path, rows: Sequence[Measure]) -> None:
    """Two panels a part: seconds of the processor, and the largest memory.

    Args:
        path: PNG to write.
        rows: measurements; those with a note are of the part *resume* and left out.
    """
    rows = [row for row in rows if not row.note]
    prep = [row for row in rows if row.name in _PREP]
    records = [row for row in rows if row.name not in _PREP]
    with rc_context(STYLE):
        figure = Figure((8.4, 6.8), layout="constrained")
        panels = figure.subplots(2, 2)
        _draw(panels[0], prep, "patches (thousands)")
        _draw(panels[1], records, "records (thousands)")
        panels[0, 0].set_title("sets of patches: processor time")
        panels[0, 1].set_title("largest memory of the process")
        panels[1, 0].set_title("small records: processor time")
        panels[1, 1].set_title("largest memory of the process")
        png_of(figure, path)


def _draw(panels: Sequence[Axes], rows: Sequence[Measure], label: str) -> None:
    seconds, memory = panels
    for index, name in enumerate(dict.fromkeys(row.name for row in rows)):
        mine = sorted(
            (row for row in rows if row.name == name), key=lambda row: row.records
        )
        sizes = [row.records / 1e3 for row in mine]
        style = {**style_of(index), "marker": "o", "ms": 4, "label": name}
        seconds.plot(sizes, [row.cpu for row in mine], **style)
        memory.plot(sizes, [row.megabytes for row in mine], **style)
        if len(mine) > 1:
            _straight(seconds, mine)
    top = 1.1 * max((row.megabytes for row in rows), default=1.0)
    seconds.set(xlabel=label, ylabel="s of one core", xlim=(0, None), ylim=(0, None))
    memory.set(xlabel=label, ylabel="MB", xlim=(0, None), ylim=(0, top))
    if rows:
        seconds.plot([], [], color=GRAY, lw=0.8, ls=":", label="straight line")
        seconds.legend(loc="upper left")


def _straight(axes: Axes, rows: Sequence[Measure]) -> None:
    """From the smallest to the largest size: where linear time would lie."""
    ends = [rows[0], rows[-1]]
    axes.plot(
        [row.records / 1e3 for row in ends],
        [row.cpu for row in ends],
        color=GRAY,
        lw=0.8,
        ls=":",
    )
