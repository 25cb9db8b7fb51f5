"""Run by test_epoch_log.py in a process of its own: fits with less memory than a batch
takes, and prints what comes of it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from gastric_keras.config.fit import FitConfig
from gastric_keras.data.stage_data import TrainingData
from gastric_keras.models.classifier import build_classifier
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.training.fit import fit
from gastric_keras.training.plan import FitPlan

BATCH = 256


def main(folder: Path) -> None:
    model = build_classifier("alexnet", 2, image_size=224, weights="none")
    patches = np.zeros((BATCH, 224, 224, 3), np.uint8)
    batch = (patches, np.arange(BATCH) % 2)
    data = TrainingData(
        batches=lambda start: tf.data.Dataset.from_tensors(batch),
        plain=lambda: None,
        keys=lambda number: [],
        steps_per_epoch=1,
    )
    held = int(Path("/proc/self/statm").read_text().split()[0])
    limit = held * resource.getpagesize() + 700 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        fit(
            FitPlan(
                stage="mid",
                run_dir=RunDir(folder),
                config=FitConfig(epochs=1, batch_size=BATCH),
                model=model,
                scored=model,
                data=data,
                validation=tf.data.Dataset.range(0),
            )
        )
    except InputError as error:
        print(f"REFUSED {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
