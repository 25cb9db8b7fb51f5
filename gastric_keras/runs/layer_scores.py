"""Scores of the linear probes of a run, layer by layer."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class LayerScore:
    """What a linear probe reads off one layer.

    Attributes:
        stage: initial (t=0), mid (t=1) or target (t=2).
        layer: of the backbone.
        channels: of its output, pooled.
        val_auc: of the regression, on the validation split of the target.
    """

    stage: str
    layer: str
    channels: int
    val_auc: float


def read_layer_scores(path: Path) -> list[LayerScore]:
    """Read a ``probe/layers.csv``.

    Raises:
        InputError: it has other columns or no numbers.
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return [
                LayerScore(
                    row["stage"],
                    row["layer"],
                    int(row["channels"]),
                    float(row["val_auc"]),
                )
                for row in csv.DictReader(stream)
            ]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "A CSV with the columns stage, layer, channels and val_auc was expected. "
            f"Received: {path} ({error!r}). Run --stage probe --force."
        ) from error
