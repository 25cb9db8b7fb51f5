"""What a finished fit left of itself: one row an epoch, and how it ended."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_object


@dataclass(frozen=True)
class _Done:
    """What others read of a fit's done.json; ``train.FitResult`` says what it means."""

    best_epoch: int
    val_auc: float
    epochs: int
    steps: int
    seconds: float


def read_history(path: Path) -> dict[str, list[float]]:
    """Columns of a history.csv; an empty cell is NaN, and no row gives no column.

    Raises:
        InputError: a cell is no number, a row is longer or shorter than the header, a
            column stands twice, or the epochs are not 0, 1, 2…
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream, strict=True)) or [[]]
        if not rows:
            return {}
        if "epoch" not in header or len(set(header)) < len(header):
            raise ValueError(f"columns {header}")
        columns = [[float(cell or "nan") for cell in column] for column in zip(*rows)]
        if any(len(row) != len(header) for row in rows):
            raise ValueError(f"a row that has not {len(header)} cells")
        history = dict(zip(header, columns, strict=True))
        if history["epoch"] != list(range(len(rows))):
            raise ValueError("epochs that are not 0, 1, 2…")
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"A history of numbers was expected. Received: {path} ({error}). Run the "
            "stage again with --force."
        ) from error
    return history


def read_done(path: Path) -> dict[str, Any]:
    """The done.json of a fit.

    Raises:
        InputError: it is missing or damaged.
    """
    keys = _Done.__dataclass_fields__
    try:
        found = read_object(path)
        tree = {key: value for key, value in found.items() if key in keys}
        done = config_io.build(_Done, tree, path.name)
        # The AUC is NaN where training diverged.
        if min(done.best_epoch, done.epochs, done.steps) < 0 or not (
            0 <= done.seconds < math.inf and not done.val_auc > 1
        ):
            raise InputError(f"{tree}")
    except InputError as error:
        raise InputError(
            f"The figures of a finished stage, {', '.join(keys)}, were expected. "
            f"Received: {path} ({error}). Run the stage again with --force."
        ) from error
    return found
