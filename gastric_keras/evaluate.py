"""Checkpoint and records to predictions.csv, and that to report.json."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gastric_keras.errors import InputError
from gastric_keras.files import write_atomic

KEYS = ("case_id", "image_id", "x", "y", "label")


@dataclass(frozen=True)
class Predictions:
    """Probabilities of the patches of one split, ordered as the records.

    Attributes:
        classes: names, in label order.
        case_id: (n,) str.
        image_id: (n,) str.
        x: (n,) int, px.
        y: (n,) int, px.
        label: (n,) int, index into classes.
        probability: (n, len(classes)) float32, rows sum to 1.
    """

    classes: tuple[str, ...]
    case_id: np.ndarray
    image_id: np.ndarray
    x: np.ndarray
    y: np.ndarray
    label: np.ndarray
    probability: np.ndarray


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions as CSV: the keys, then one column ``p_<class>`` a class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*KEYS, *(f"p_{name}" for name in predictions.classes)])
    columns = [getattr(predictions, key) for key in KEYS]
    for *keys, probability in zip(*columns, predictions.probability, strict=True):
        # Nine digits bring a float32 back to the bit.
        writer.writerow([*keys, *(f"{value:.9g}" for value in probability)])
    write_atomic(path, text.getvalue())


def read_predictions(path: Path) -> Predictions:
    """Read what :func:`write_predictions` wrote.

    Raises:
        InputError: the file is missing, empty or has other columns.
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
    except OSError as error:
        raise InputError(
            f"A predictions file was expected. Received: path={path} "
            f"({error.strerror}). Run --stage evaluate first."
        ) from error
    classes = tuple(name.removeprefix("p_") for name in header[len(KEYS) :])
    if tuple(header[: len(KEYS)]) != KEYS or not classes or not rows:
        raise InputError(
            f"A CSV with the columns {', '.join(KEYS)}, p_<class>… and a row or more "
            f"was expected. Received: {path} with columns {header} and {len(rows)} "
            "rows. Run --stage evaluate --force."
        )
    columns = list(zip(*rows, strict=True))
    x, y, label = (np.array(column, np.int64) for column in columns[2:5])
    return Predictions(
        classes=classes,
        case_id=np.array(columns[0]),
        image_id=np.array(columns[1]),
        x=x,
        y=y,
        label=label,
        probability=np.array(columns[5:], np.float32).T,
    )
