"""What comes before the first answer: processor time of the first training step, of the
export and of loading it.

    python -m benchmarks.speed.start

Each network has its native size, random weights and a batch of two patches, so that it
is the tracing of graphs that takes the time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.speed import rows  # noqa: E402
from benchmarks.speed.native import POINT  # noqa: E402
from gastric_keras.config.backbones import BACKBONES  # noqa: E402
from gastric_keras.config.fit import FitConfig  # noqa: E402
from gastric_keras.models.classifier import build_classifier  # noqa: E402
from gastric_keras.serving.graph import write_saved_model  # noqa: E402
from gastric_keras.training.fit import compile_for  # noqa: E402


def main() -> None:
    """Print the table, a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--networks", nargs="+", default=list(BACKBONES))
    options = parser.parse_args()
    # What the first of all pays for every other.
    for _ in _measure("alexnet"):
        pass
    print(f"{'network':14}{'first step, CPU s':>19}{'export':>9}{'load':>7}")
    found: list[rows.Row] = []
    for network in options.networks:
        measured = list(_measure(network))
        step, export, load = (row.ours for row in measured)
        print(f"{network:14}{step:19.1f}{export:9.1f}{load:7.2f}", flush=True)
        found += measured
    rows.save(found)


def _measure(network: str) -> Iterator[rows.Row]:
    size = BACKBONES[network].image_size
    model = build_classifier(network, 2, image_size=size, weights="none")
    patches = np.random.default_rng(0).integers(0, 256, (2, size, size, 3))
    batch = tf.data.Dataset.from_tensors((patches.astype(np.uint8), np.arange(2)))
    with _timed() as seconds:
        compile_for(model, FitConfig(), steps_per_epoch=1)
        model.fit(batch, shuffle=False, verbose=0)
    yield rows.Row(f"{network}, first training step", seconds[0], "CPU s")
    with tempfile.TemporaryDirectory() as folder:
        with _timed() as seconds:
            write_saved_model(model, Path(folder) / "1", point=POINT)
        yield rows.Row(f"{network}, export", seconds[0], "CPU s")
        with _timed() as seconds:
            tf.saved_model.load(f"{folder}/1")
        yield rows.Row(f"{network}, loading the export", seconds[0], "CPU s")


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Processor seconds of a block, when it has ended."""
    seconds: list[float] = []
    started = time.process_time()
    yield seconds
    seconds.append(time.process_time() - started)


if __name__ == "__main__":
    main()
