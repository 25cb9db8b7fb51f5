"""TensorBoard's HParams table of a grid: what each run was given, what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

from gastric_keras.config.grid import GridConfig
from gastric_keras.training.tensorboard import PATTERN


def write_row(grid: GridConfig, name: str, row: dict[str, Any]) -> None:
    """Write the row of one run, in place of an earlier one, and the table's head.

    Args:
        grid: that the run is of; its axes and the seed are the hyperparameters.
        name: of the run.
        row: axis -> name of its value, ``seed``, and scores by their names; what else
            it holds is left out, and so is a score of None.
    """
    given = {axis.name: row[axis.name] for axis in grid.axes}
    # In words: the table would show the seed as 0.0000.
    given["seed"] = str(row["seed"])
    scores = {k: v for k, v in row.items() if k.startswith(("val_", "test_"))}
    with _replaced(grid.folder).as_default():
        hp.hparams_config(
            hparams=[
                *(hp.HParam(a.name, hp.Discrete(list(a.values))) for a in grid.axes),
                hp.HParam("seed", hp.Discrete([str(seed) for seed in grid.seeds])),
            ],
            metrics=[hp.Metric(_tag(key), display_name=key) for key in scores],
        )
    with _replaced(grid.folder / name).as_default():
        hp.hparams(given, trial_id=name)
        for key, value in scores.items():
            if value is not None:
                tf.summary.scalar(_tag(key), value, step=0)


def has_row(grid: GridConfig, name: str) -> bool:
    """Whether a run has a row in the table."""
    return any(_files(grid.folder / name))


def _tag(score: str) -> str:
    # TensorBoard sorts by tag: behind the curves.
    return f"summary/{score}"


def _replaced(folder: Path) -> tf.summary.SummaryWriter:
    """A writer of the only event file in a folder; those inside its folders stay."""
    for path in _files(folder):
        path.unlink()
    return tf.summary.create_file_writer(str(folder))


def _files(folder: Path) -> Iterable[Path]:
    return folder.glob(PATTERN)
