"""Networks of keras.applications by name alone, the whole road: docs/CHOICES.md.

    make demo     # once, for the phantom; its two trainings are not used
    python -m data_prep tissue --config configs/data_prep/demo_tissue.yaml \\
        --set 'max_per_class={train: 32, validation: 16}' --out demo/records/few
    python -m benchmarks.evidence.networks

Each network starts from random weights and goes through ``--stage all``, two stages of
one epoch on few patches: that shows that the stages work, not what a network is worth.
Then its export is loaded in a process that imports TensorFlow alone, and its answers on
the test patches are compared with the evaluated predictions. Cost: 15 minutes a network
on 2 busy cores; a network that was through already is measured only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from gastric_keras import run
from gastric_keras.config.backbones import find_backbone
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.data.pipeline import eval_dataset
from gastric_keras.data.selection import Selection
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.layers import find_layers
from gastric_keras.runs.predictions import read_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.files import read_object, write_json
from gastric_keras.support.text import text_table
from gastric_keras.training.fit import compile_for
from gastric_keras.training.start import load_stage

NETWORKS = (
    "resnet50",
    "efficientnet_v2_b0",
    "convnext_tiny",
    "densenet121",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
)
#: Largest difference between a served and an evaluated probability, float32.
PARITY = 1e-5
CONFIG = Path("configs/demo.yaml")
OUT = Path("docs/results/networks.json")
CHANGES = (
    "mid.records=demo/records/few",
    "mid.fit.epochs=1",
    "target.subset=small",
    "target.fit.epochs=1",
    "evaluate.bootstrap=100",
)

#: What another machine would run: TensorFlow and NumPy, nothing of this project.
_SERVE = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1]).signatures["predict_array"]
patches = np.load(sys.argv[2])
answers = [model(patch=tf.constant(patches[i : i + 32]))["raw_probabilities"].numpy()
           for i in range(0, len(patches), 32)]
assert not [name for name in sys.modules if name.startswith("gastric_keras")]
np.save(sys.argv[3], np.concatenate(answers))
"""


def main() -> int:
    """Run every network, print the table; 0 when each is at parity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--out", type=Path, default=OUT, help="what it holds is kept")
    options = parser.parse_args()
    rows = read_object(options.out) if options.out.is_file() else {}
    for name in options.networks:
        rows[name] = _go(name)
        write_json(options.out, rows)
    print(text_table(list(next(iter(rows.values()))), list(map(_cells, rows.values()))))
    return int(any(row["largest difference"] > PARITY for row in rows.values()))


def _go(name: str) -> dict[str, Any]:
    changes = [f"name=road-{name}", f"backbone.name={name}", *CHANGES]
    arguments = ["--stage", "all", "--config", str(CONFIG)]
    for change in changes:
        arguments += ["--set", change]
    if run.main(arguments):
        sys.exit(f"error: --stage all of {name} failed")
    config = config_io.load(ExperimentConfig, CONFIG, changes)
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    model = load_stage(config, run_dir, "target")
    network = model.get_layer("backbone")
    layer = find_layers(network, find_backbone(name)).gradcam
    moved = list(_moved_norms(model, config))
    return {
        "network": find_backbone(name).title,
        "parameters": network.count_params(),
        "stages finished": [
            stage for stage in ("mid", "target") if run_dir.done(stage).is_file()
        ],
        "Grad-CAM layer": layer,
        "its grid": "{}x{}".format(*network.get_layer(layer).output.shape[1:3]),
        "Grad-CAM pictures": len(list(run_dir.figures.glob("gradcam_*.png"))),
        "batch normalizations": len(moved),
        "of them moved": sum(moved),
        **_mixed_update(config),
        **_parity(config, run_dir),
    }


def _moved_norms(model: keras.Model, config: ExperimentConfig) -> Iterator[bool]:
    """Of each batch normalization, frozen: whether two stages moved it."""
    # Random weights differ from build to build; those of a normalization do not.
    initial = _build(config)
    for after, before in zip(
        *(m.get_layer("backbone").layers for m in (model, initial)), strict=True
    ):
        if isinstance(after, keras.layers.BatchNormalization):
            pairs = zip(after.get_weights(), before.get_weights(), strict=True)
            yield not all(np.array_equal(x, y) for x, y in pairs)


def _build(config: ExperimentConfig) -> keras.Model:
    name, size = config.backbone.name, config.backbone.image_size
    return build_classifier(name, 2, image_size=size, weights="none")


def _mixed_update(config: ExperimentConfig) -> dict[str, Any]:
    """One update with the backbone in float16 and the head in float32."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = _build(config)
        compile_for(model, config.target.fit, steps_per_epoch=1)
    finally:
        keras.config.set_dtype_policy("float32")
    patches = np.random.default_rng(0).integers(
        0, 256, (4, *model.input.shape[1:]), np.uint8
    )
    loss = model.train_on_batch(patches, np.array([0, 1, 0, 1]))[0]
    return {
        "mixed_float16, backbone and head": [
            model.get_layer("backbone").output.dtype,
            model.output.dtype,
        ],
        "its loss is finite": bool(np.isfinite(loss)),
    }


def _parity(config: ExperimentConfig, run_dir: RunDir) -> dict[str, Any]:
    """Served against evaluated probabilities, of which saturated ones show nothing."""
    evaluated = read_predictions(run_dir.predictions("test")).probability
    done = read_object(run_dir.done("export"))
    with tempfile.TemporaryDirectory() as folder:
        patches, answers = Path(folder) / "patches.npy", Path(folder) / "answers.npy"
        np.save(patches, _test_patches(config))
        model = run_dir.export / str(done["version"])
        command = [sys.executable, "-I", "-c", _SERVE, model, patches, answers]
        subprocess.run([*map(str, command)], check=True)
        served = np.load(answers)
    positive = evaluated[:, 1]
    return {
        "test patches": len(evaluated),
        "probabilities": [float(f"{x:.3g}") for x in (positive.min(), positive.max())],
        "largest difference": float(np.abs(served - evaluated).max()),
    }


def _test_patches(config: ExperimentConfig) -> npt.NDArray[np.uint8]:
    """(n, h, w, 3), in the order of the records, as the predictions are."""
    batches = eval_dataset(
        Selection(config.target.records, "test"),
        image_size=config.backbone.image_size,
        batch_size=32,
    )
    return np.concatenate([batch["image"].numpy() for batch in batches])


def _cells(row: dict[str, Any]) -> list[str]:
    return [f"{x:.1e}" if isinstance(x, float) else str(x) for x in row.values()]


if __name__ == "__main__":
    sys.exit(main())
