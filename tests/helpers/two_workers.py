"""Run by test_distribution.py, one process a worker, with TF_CONFIG set: trains, and
prints the losses that this worker saw. ``train`` without TF_CONFIG: the same alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from unittest.mock import patch

from gastric_keras.config.experiment import (
    BackboneConfig,
    ExperimentConfig,
    MidConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.config.fit import FitConfig
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.workers import is_chief
from gastric_keras.training import epoch_log
from gastric_keras.training import ladder as stages
from tests.helpers.small_experiments import without_pictures

CLASSES = ("background", "epithelium", "stroma")


def train(folder: Path, name: str, die_in_epoch: int = -1) -> list[list[float]]:
    """Train t=1; training and validation loss of each epoch that was seen here."""
    config = ExperimentConfig(
        name=name,
        # Dropout would draw for each replica apart.
        backbone=BackboneConfig("alexnet", "none", image_size=64, dropout=0.0),
        mid=MidConfig(
            str(folder / "set"),
            CLASSES,
            fit=FitConfig(epochs=3, batch_size=4, learning_rate=3e-6, head="probe"),
        ),
        target=TargetConfig("none"),
        runtime=RuntimeConfig(output=str(folder)),
    )
    seen: list[list[float]] = []
    honest = epoch_log.EpochLog.on_epoch_end

    def on_epoch_end(self: epoch_log.EpochLog, epoch: int, logs: dict) -> None:
        if epoch == die_in_epoch:
            os._exit(9)
        honest(self, epoch, logs)
        seen.append([logs["loss"], logs["val_loss"]])

    with patch.object(
        epoch_log.EpochLog, "on_epoch_end", on_epoch_end
    ), without_pictures():
        stages.run_mid(config, RunDir(folder / name))
    return seen


if __name__ == "__main__":
    losses = train(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    print("RESULT " + json.dumps({"losses": losses, "chief": is_chief()}))
