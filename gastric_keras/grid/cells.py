"""The runs of a grid: one config a cell, and the t=1 that cells share."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gastric_keras.config.experiment import ExperimentConfig, RuntimeConfig
from gastric_keras.config.grid import GridConfig
from gastric_keras.runs.precision import settle_precision
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError


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
    told = set[RuntimeConfig]()
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
            asked = config.runtime
            config = settle_precision(
                config, RunDir(grid.folder / cell), tells=asked not in told
            )
            told.add(asked)
            yield _share_mid(grid, values, seed, config)


def _share_mid(
    grid: GridConfig, values: dict[str, str], seed: int, config: ExperimentConfig
) -> Cell:
    if config.mid is None or not config.mid.has_stage or config.mid.init:
        return Cell(values, seed, config, None)
    # blend applies to the start of t=2 only.
    mid = replace(config, mid=replace(config.mid, blend=1.0))
    mid = replace(mid, name=f"mid-{_mid_digest(mid)}")
    weights = RunDir(grid.folder / mid.name).weights("mid")
    config = replace(config, mid=replace(config.mid, init=str(weights)))
    return Cell(values, seed, config, mid)


def _mid_digest(config: ExperimentConfig) -> str:
    """Of all that decides the weights of t=1, so that equal ones are trained once."""
    tree = config_io.to_dict(config)
    decisive = {key: tree[key] for key in ("backbone", "mid", "seed")}
    # Grids of earlier versions, which knew one task, go on where they were.
    later = {"task": "classes", "contrast": None, "second": None}
    decisive["mid"] = {
        key: value
        for key, value in tree["mid"].items()
        if key not in later or value != later[key]
    }
    decisive["precision"] = tree["runtime"]["precision"]
    text = json.dumps(decisive, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
