"""A grid of runs: axes over one base config, times seeds."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require

#: The name of a value on an axis, as it stands in a folder's name.
_NAME = r"[\w][\w.+]*(-[\w.+]+)*"


@dataclass(frozen=True)
class Axis:
    """What is varied.

    Attributes:
        name: of the axis, such as subset.
        values: name of a value -> the overrides that make it, as after ``--set``.
    """

    name: str
    values: dict[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        bad = [v for v in (self.name, *self.values) if not re.fullmatch(_NAME, v)]
        require(
            bool(self.values) and not bad,
            "An axis with a name and one value or more was expected, named with "
            "letters, digits, '.', '+', '_' and single '-'.",
            "They become names of folders.",
            name=self.name,
            values=list(self.values),
        )


@dataclass(frozen=True)
class GridConfig:
    """Every combination of the axes' values, with every seed.

    Attributes:
        name: of the grid; its runs lie in ``output/name``.
        base: path of the config that every run starts from.
        axes: the last one varies fastest; later overrides win.
        seeds: of training; ``{seed}`` in an override stands for it.
        only: axis -> the values to run now; an axis that is not named is run whole.
        set: overrides of every run, before those of the axes.
        evaluate: score the test split of each finished run; false while choosing.
        output: folder of all runs.
    """

    name: str
    base: str
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...] = (0,)
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)
    set: tuple[str, ...] = ()
    evaluate: bool = False
    output: str = "tensorboard_logs"

    def __post_init__(self) -> None:
        require(
            re.fullmatch(_NAME, self.name) is not None,
            "A name of letters, digits, '.', '_' and '-' was expected.",
            "It becomes the name of a folder.",
            name=self.name,
        )
        names = [axis.name for axis in self.axes]
        require(
            bool(names) and len(set(names)) == len(names) and bool(self.seeds),
            "One axis or more with different names, and one seed or more, were "
            "expected.",
            "Mend axes or seeds.",
            axes=names,
            seeds=self.seeds,
        )
        known = {axis.name: list(axis.values) for axis in self.axes}
        for name, values in self.only.items():
            require(
                bool(values) and set(values) <= set(known.get(name, ())),
                "only: an axis and some of its values were expected.",
                f"The axes are {known}.",
                **{name: values},
            )

    @property
    def folder(self) -> Path:
        """Where the runs, the table and the progress lie."""
        return Path(self.output) / self.name


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        values: axis -> name of its value.
        seed: of training.
        config: resolved; ``mid.init`` names the t=1 that this cell shares.
        mid: the run that trains that t=1; None where there is none, or where the config
            itself names an ``init``.
    """

    values: dict[str, str]
    seed: int
    config: ExperimentConfig
    mid: ExperimentConfig | None


def load_cells(grid: GridConfig) -> list[Cell]:
    """All cells, seed by seed, so that a grid cut short has whole seeds.

    Raises:
        InputError: an override does not fit the config; the message names the cell.
    """
    return list(_cells(grid))


def _cells(grid: GridConfig) -> Iterator[Cell]:
    choices = [grid.only.get(axis.name, tuple(axis.values)) for axis in grid.axes]
    for seed in grid.seeds:
        for names in itertools.product(*choices):
            values = {a.name: n for a, n in zip(grid.axes, names, strict=True)}
            cell = "-".join([*names, f"s{seed}"])
            overrides = list(grid.set)
            for axis in grid.axes:
                overrides += axis.values[values[axis.name]]
            overrides = [text.replace("{seed}", str(seed)) for text in overrides]
            overrides += [f"seed={seed}", f"runtime.output={grid.folder}"]
            try:
                config = config_io.load(
                    ExperimentConfig, grid.base, [*overrides, f"name={cell}"]
                )
            except InputError as error:
                raise InputError(f"cell {cell}: {error}") from error
            yield _share_mid(grid, values, seed, config)


def _share_mid(
    grid: GridConfig, values: dict[str, str], seed: int, config: ExperimentConfig
) -> Cell:
    if config.mid is None or not config.mid.has_stage or config.mid.init:
        return Cell(values, seed, config, None)
    # blend belongs to the start of t=2.
    mid = replace(config, mid=replace(config.mid, blend=1.0))
    mid = replace(mid, name=f"mid-{_mid_digest(mid)}")
    weights = grid.folder / mid.name / "mid" / "best.weights.h5"
    config = replace(config, mid=replace(config.mid, init=str(weights)))
    return Cell(values, seed, config, mid)


def _mid_digest(config: ExperimentConfig) -> str:
    """Of all that decides the weights of t=1, so that equal ones are trained once."""
    tree: dict[str, Any] = config_io.to_dict(config)
    decisive = {key: tree[key] for key in ("backbone", "mid", "seed")}
    decisive["precision"] = tree["runtime"]["precision"]
    text = json.dumps(decisive, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
