"""A grid of runs: axes over one base config, times seeds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from gastric_keras.support.errors import require

#: The name of a value on an axis, as it appears in the name of a folder.
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
            "name and values must not be empty, and be named with letters, digits, "
            "'.', '+', '_' and single '-' only",
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
        seeds: of training; ``{seed}`` in an override is replaced by it.
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
            "name must have letters, digits, '.', '+', '_' and single '-' only",
            "It becomes the name of a folder.",
            name=self.name,
        )
        names = [axis.name for axis in self.axes]
        require(
            bool(names) and len(set(names)) == len(names) and bool(self.seeds),
            "axes and seeds must each have an entry, and every axis another name",
            "Add an axis or a seed, or rename one of two equal axes.",
            axes=names,
            seeds=self.seeds,
        )
        known = {axis.name: list(axis.values) for axis in self.axes}
        for name, values in self.only.items():
            require(
                bool(values) and set(values) <= set(known.get(name, ())),
                "only must name an axis and some of its values",
                f"The axes are {known}.",
                **{name: values},
            )

    @property
    def folder(self) -> Path:
        """Where the runs, the table and the progress lie."""
        return Path(self.output) / self.name
