"""Run by test_distribution.py in a process of its own: TensorFlow must be told of two
logical CPUs before it starts. Prints the loss of each epoch on one and on two, for each
network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tensorflow as tf

from gastric_keras.config.backbones import BACKBONES, BackboneName
from gastric_keras.config.experiment import (
    BackboneConfig,
    ExperimentConfig,
    MidConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.mid import SecondSetConfig
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.training import ladder as stages
from gastric_keras.training.epoch_log import read_epochs
from tests.helpers.small_experiments import without_pictures
from tests.helpers.small_sets import write_small_set

#: Small ones: Adam makes a full step even of a gradient that is all rounding.
RATES: dict[BackboneName, float] = {
    "alexnet": 1e-5,
    "vgg16": 3e-6,
    "inception_v3": 3e-4,
}
#: AlexNet is trained as a whole. Of the others, each with layers of its own in every
#: pass forward, a whole pass back would take a minute to trace.
TRAINABLE_FROM = {"vgg16": "block5_conv1", "inception_v3": "mixed9"}
CLASSES = ("background", "epithelium", "stroma")


def main(folder: Path) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    # 21 training patches and a batch of 4: one is left over; 9 for validation: the
    # last batch of 1 cannot be divided by two.
    write_small_set(
        folder / "set", "tissue", CLASSES, per_class={"train": 7, "validation": 3}
    )
    both = ("CPU:0",), ("CPU:0", "CPU:1")
    with without_pictures():
        losses = {
            network: {len(devices): train(folder, network, devices) for devices in both}
            for network in RATES
        }
        # The same patches, by two heads: half of each batch is for each.
        second = SecondSetConfig(str(folder / "set"), CLASSES, weight=0.3)
        losses["two sets"] = {
            len(devices): train(folder, "alexnet", devices, second=second)
            for devices in both
        }
    print("RESULT " + json.dumps(losses))


def train(
    folder: Path,
    network: BackboneName,
    devices: tuple[str, ...],
    *,
    second: SecondSetConfig | None = None,
) -> list[list[float]]:
    """Training and validation loss of each epoch."""
    config = ExperimentConfig(
        name=f"{network}-{'two' if second else 'one'}-on-{len(devices)}",
        # Dropout would draw for each replica apart.
        backbone=BackboneConfig(
            network, "none", image_size=BACKBONES[network].smallest_size, dropout=0.0
        ),
        mid=MidConfig(
            str(folder / "set"),
            CLASSES,
            second=second,
            fit=FitConfig(
                epochs=2,
                batch_size=4,
                learning_rate=RATES[network],
                head_rate=10.0,
                schedule="plateau",
                trainable_from=TRAINABLE_FROM.get(network),
            ),
        ),
        target=TargetConfig("none"),
        runtime=RuntimeConfig(output=str(folder), devices=devices),
    )
    run_dir = RunDir(folder / config.name)
    stages.run_mid(config, run_dir)
    rows = read_epochs(run_dir.history("mid"))
    return [[row["loss"], row["val_loss"]] for row in rows]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
