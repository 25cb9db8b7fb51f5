"""TensorBoard's HParams table of a grid: settings and scores of each run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

from gastric_keras.config.grid import GridConfig
from gastric_keras.grid.rows import GridRow
from gastric_keras.training.tensorboard import PATTERN


def write_row(grid: GridConfig, name: str, row: GridRow) -> None:
    """Write the row of one run, in place of an earlier one, and the table's head.

    Args:
        grid: that the run is of; its axes and the seed are the hyperparameters.
        name: of the run.
        row: what it was given and its scores; a score of None is left out.
    """
    # In words: the table would show the seed as 0.0000.
    given = row.values | {"seed": str(row.seed)}
    with _replaced(grid.folder).as_default():
        hp.hparams_config(
            hparams=[
                *(hp.HParam(a.name, hp.Discrete(list(a.values))) for a in grid.axes),
                hp.HParam("seed", hp.Discrete([str(seed) for seed in grid.seeds])),
            ],
            metrics=[hp.Metric(_tag(key), display_name=key) for key in row.scores],
        )
    with _replaced(grid.folder / name).as_default():
        hp.hparams(given, trial_id=name)
        for key, value in row.scores.items():
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
