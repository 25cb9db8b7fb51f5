"""Speed on a GPU: the three networks at their native sizes, in bfloat16, in one table.

    python -m benchmarks.speed.gpu demo/records/target
    python -m benchmarks.speed.gpu demo/records/target --rehearse  # without a GPU

For each network, images a second: of the bare step, of fit and of PyTorch (as in
benchmarks.speed.steps, in turns); of a heatmap, beside the exported model alone; and
the share of a training step that the GPU waits for records. The rehearsal goes the same
way with tiny figures on the processor: it shows that the script runs, not a speed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.speed import rows  # noqa: E402
from benchmarks.speed.heatmap import repeat_slide  # noqa: E402
from benchmarks.speed.native import (  # noqa: E402
    export_untrained,
    median_turn,
    turns_through,
)
from benchmarks.speed.pipeline import wait_share  # noqa: E402
from benchmarks.speed.steps import Side, training_rows  # noqa: E402
from data_prep.phantom.tissue import draw_region  # noqa: E402
from gastric_keras.config.backbones import BACKBONES  # noqa: E402
from gastric_keras.heatmap.inference import Speed  # noqa: E402
from gastric_keras.heatmap.patches import MAX_PATCHES  # noqa: E402
from gastric_keras.support.devices import find_device  # noqa: E402

#: Patches a batch at native size: some 20 GB at most.
BATCHES = {"alexnet": 512, "vgg16": 128, "inception_v3": 128}


class Load(NamedTuple):
    """How much is measured; the slide repeats a region of some side, px."""

    steps: int
    turns: int
    region: int
    repeat: int


def main() -> int:
    """Print the table; 1 without a GPU."""
    options = _parse()
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus and not options.rehearse:
        message = "TensorFlow must see a GPU, got none: nothing is measured"
        print(f"{message}. --rehearse goes through it on the processor.")
        return 1
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    # The table would be of a rehearsal.
    load = Load(1, 1, 256, 1) if options.rehearse else Load(30, 3, 768, 24)
    device = find_device()
    what = "rehearsal, no figure means anything" if options.rehearse else "bfloat16"
    print(f"{device.name}; {what}; median of {load.turns} turns")
    print(
        f"{'network':14}{'px':>4}{'batch':>6}{'bare':>9}{'fit':>9}{'PyTorch':>9}"
        f"{'fit/bare':>10}{'bare/PyTorch':>14}{'heatmap':>9}{'alone':>9}{'share':>7}"
        f"{'wait':>8}"
    )
    found: list[rows.Row] = []
    for network in options.networks:
        size, batch = BACKBONES[network].image_size, BATCHES[network]
        if options.rehearse:
            size, batch = BACKBONES[network].smallest_size, 2
        found += measure(network, size, batch, load, options.records)
    if not options.rehearse:
        rows.save(found, machine=device.name)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", help="folder of a set; its train split is read")
    parser.add_argument(
        "--networks", nargs="+", default=list(BATCHES), choices=list(BATCHES)
    )
    parser.add_argument("--rehearse", action="store_true")
    return parser.parse_args()


def measure(
    network: str, size: int, batch: int, load: Load, records: str
) -> list[rows.Row]:
    """One line of the table, and its rows."""
    bare, fit, other = _steps(network, size, batch, load)
    keras.config.set_dtype_policy("mixed_bfloat16")
    heatmap = _heatmap(network, size, batch, load)
    steps = 8 * load.steps * load.turns
    wait, _ = wait_share(records, network, image_size=size, batch=batch, steps=steps)
    keras.config.set_dtype_policy("float32")
    whole, alone = heatmap.patches_per_second, heatmap.bare_patches_per_second
    torch = f"{other:9.0f}" if other else f"{'-':>9}"
    against = f"{bare / other:14.2f}" if other else f"{'-':>14}"
    print(
        f"{network:14}{size:4}{batch:6}{bare:9.0f}{fit:9.0f}{torch}{fit / bare:10.2f}"
        f"{against}{whole:9.0f}{alone:9.0f}{whole / alone:7.2f}{wait:8.2%}",
        flush=True,
    )
    name, unit = f"{network} at {size} px, bf16", "images/s"
    return [
        *training_rows(name, bare, fit, other),
        rows.Row(f"{name}, heatmap", whole, unit, "bare inference", alone, aim=0.9),
        rows.Row(
            f"{name}, waits for records", 100 * wait, "% of a step", "aim", 2.0,
            better="less", aim=1.0,
        ),
    ]  # fmt: skip


def _steps(
    network: str, size: int, batch: int, load: Load
) -> tuple[float, float, float | None]:
    """Images a second: bare step, fit, PyTorch's step where PyTorch is installed."""
    asked = [("keras", "bare"), ("keras", "fit")]
    if find_spec("torch"):
        asked.append(("torch", "bare"))
    sides = {name: Side(name) for name, _ in asked}
    rates: dict[tuple[str, str], list[float]] = {each: [] for each in asked}
    for _ in range(load.turns):
        for side, kind in asked:
            rate = sides[side].ask(network, size, batch, f"{kind}+bf16", load.steps)
            rates[side, kind].append(rate)
    for side in sides.values():
        side.close()
    medians = [statistics.median(values) for values in rates.values()]
    bare, fit, other = [*medians, None][:3]
    assert bare is not None and fit is not None
    return bare, fit, other


def _heatmap(network: str, size: int, batch: int, load: Load) -> Speed:
    """A drawn slide through the exported model; the median turn by its share."""
    exported = export_untrained(network, size)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        region = draw_region(np.random.default_rng(0), load.region).image
        cv2.imwrite(str(folder / "region.png"), region[..., ::-1])
        slide = repeat_slide(folder / "region.png", folder / "slide.tif", load.repeat)
        speeds = turns_through(
            exported, slide, batch=batch, turns=load.turns, most=MAX_PATCHES
        )
    return median_turn(speeds)


if __name__ == "__main__":
    sys.exit(main())
