"""Results of the cells of a grid: a row each, and tables over the seeds."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from gastric_keras.config.grid import GridConfig
from gastric_keras.grid.cells import Cell
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_class_scores, read_scores
from gastric_keras.runs.shapes import read_fit
from gastric_keras.support.text import text_table


@dataclass(frozen=True)
class GridRow:
    """One finished cell.

    Attributes:
        values: axis -> name of its value.
        seed: of training.
        val_auc: best of the validation split.
        tests: test AUC of a scored cell, whole and by subgroup, of more than two
            classes the macro one; None: not defined.
        best_epoch: from 1.
        seconds: that training took.
    """

    values: dict[str, str]
    seed: int
    val_auc: float
    tests: dict[str, float | None] = field(default_factory=dict)
    best_epoch: int = 1
    seconds: float = 0.0

    @property
    def scores(self) -> dict[str, float | None]:
        """Column of a score -> value."""
        return {"val_auc": self.val_auc, **self.tests}

    @property
    def cells(self) -> dict[str, str | float | None]:
        """Column of grid.csv -> value."""
        fit = {"best_epoch": self.best_epoch, "seconds": self.seconds}
        seed, val_auc = {"seed": self.seed}, {"val_auc": self.val_auc}
        return {**self.values, **seed, **val_auc, **fit, **self.tests}


def read_rows(grid: GridConfig, cells: list[Cell]) -> list[GridRow]:
    """A row per finished cell: axes, seed, validation AUC, and test scores if any."""
    rows = []
    for cell in cells:
        run_dir = RunDir(grid.folder / cell.config.name)
        done = read_fit(run_dir.done("target"))
        assert done.val_auc is not None, "t=2 has classes"
        tests: dict[str, float | None] = {}
        if grid.evaluate:
            is_multiclass = cell.config.target.is_multiclass
            read = read_class_scores if is_multiclass else read_scores
            found = read(run_dir)
            tests["test_auc"] = found.test.patch.scores["auc"].value
            for name, group in found.subgroups.items():
                tests[f"test_auc_{name}"] = group.test.patch.scores["auc"].value
        best = done.best_epoch + 1
        row = GridRow(cell.values, cell.seed, done.val_auc, tests, best, done.seconds)
        rows.append(row)
    return rows


def summarize(grid: GridConfig, rows: list[GridRow]) -> str:
    """A Markdown table: mean ± standard deviation over seeds, per combination."""
    axes = [axis.name for axis in grid.axes]
    scores = list(rows[0].scores)
    groups: dict[tuple, list[GridRow]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.values[axis] for axis in axes)].append(row)
    body = [
        [
            *names,
            str(len(group)),
            *(_spread([r.scores[s] for r in group]) for s in scores),
        ]
        for names, group in groups.items()
    ]
    return text_table([*axes, "seeds", *scores], body)


def summarize_differences(grid: GridConfig, rows: list[GridRow]) -> str:
    """A Markdown table: the last axis' other values less its first one, seed by seed.

    Args:
        grid: that the rows are of.
        rows: of :func:`read_rows`; a pair needs both its cells.

    Returns:
        Mean ± standard deviation over the seeds, and in how many the value is ahead.
    """
    axes = [axis.name for axis in grid.axes]
    *rest, last = axes
    first = next(iter(grid.axes[-1].values))
    scores = list(rows[0].scores)
    base = {
        (*(row.values[axis] for axis in rest), row.seed): row
        for row in rows
        if row.values[last] == first
    }
    groups: dict[tuple, list[list[float | None]]] = defaultdict(list)
    for row in rows:
        other = base.get((*(row.values[axis] for axis in rest), row.seed))
        if row.values[last] != first and other is not None:
            groups[tuple(row.values[axis] for axis in axes)].append(
                [
                    _difference(row.scores[score], other.scores[score])
                    for score in scores
                ]
            )
    body = []
    for names, group in groups.items():
        columns = list(zip(*group, strict=True))
        ahead = (sum((v or 0) > 0 for v in column) for column in columns)
        cells = [
            f"{_spread(list(column), sign='+')} ({n} of {len(column)})"
            for column, n in zip(columns, ahead, strict=True)
        ]
        body.append([*names, *cells])
    return text_table([*rest, f"{last}, less {first}", *scores], body)


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _spread(scores: list[float | None], sign: str = "") -> str:
    values = [score for score in scores if score is not None]
    if len(values) < len(scores):
        # A group of patches may hold one class only.
        return "not defined"
    mean = f"{statistics.fmean(values):{sign}.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean
