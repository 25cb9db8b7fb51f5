"""What the filters answer to a patch, before and after each stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gastric_keras import figures
from gastric_keras.config import ExperimentConfig
from gastric_keras.errors import InputError
from gastric_keras.evaluate import read_predictions, require_target
from gastric_keras.files import read_json, write_json
from gastric_keras.input_pipeline import decode
from gastric_keras.models import BACKBONES
from gastric_keras.projector import write_projector
from gastric_keras.records import read_records
from gastric_keras.run_dir import RunDir
from gastric_keras.stages import load_stage


def filter_responses(
    model: keras.Model, patches: np.ndarray, *, backbone: str
) -> dict[str, np.ndarray]:
    """Responses of the first convolution of each block, as in figure 7 of the paper.

    Args:
        model: a classifier.
        patches: (N, h, w, 3) uint8, of the model's size.
        backbone: vgg16, alexnet or inception_v3.

    Returns:
        block -> (N, h', w', channels) float32, after the convolution's own activation.
    """
    network = model.get_layer("backbone")
    names = BACKBONES[backbone].first_convolutions
    taps = keras.Model(
        network.input,
        {block: network.get_layer(n).output for block, n in names.items()},
    )
    prepared = BACKBONES[backbone].preprocess(tf.cast(patches, tf.float32))
    return {block: np.asarray(value) for block, value in taps(prepared).items()}


def run_visualize(
    config: ExperimentConfig,
    run_dir: RunDir,
    *,
    force: bool = False,
    images: Sequence[str] = (),
) -> None:
    """Stage visualize: filter responses of every stage side by side, and the ROC.

    Args:
        config: of the run.
        run_dir: with finished stages target and evaluate.
        force: do it again.
        images: pictures of one's own; the first test patch of each class otherwise.

    Raises:
        InputError: an earlier stage is not finished, or a picture cannot be read.
    """
    if run_dir.done("visualize").is_file() and not force and not images:
        print(f"visualize: finished, the pictures stand in {run_dir.figures}")
        return
    require_target(run_dir)
    if not images:
        run_dir.reopen("visualize")
    patches = _own_patches(config, images) if images else _test_patches(config)
    by_stage = {}
    for stage, title in _stage_titles(config).items():
        model = load_stage(config, run_dir, stage)
        by_stage[title] = filter_responses(
            model, np.stack(list(patches.values())), backbone=config.backbone.name
        )
    run_dir.figures.mkdir(parents=True, exist_ok=True)
    written = [
        _plot_block(run_dir, config, by_stage, block, index, name, patch)
        for index, (name, patch) in enumerate(patches.items())
        for block in BACKBONES[config.backbone.name].first_convolutions
    ]
    written.append(_plot_roc(run_dir, config))
    _write_events(run_dir.stage("visualize"), written)
    if not images:
        write_projector(config, run_dir)
        write_json(run_dir.done("visualize"), {"figures": [p.name for p in written]})
    print(f"visualize: {len(written)} pictures in {run_dir.figures}")


def _stage_titles(config: ExperimentConfig) -> dict[str, str]:
    titles = {"initial": "t=0", "mid": "t=1", "target": "t=2"}
    if config.mid is None:
        del titles["mid"]
    return titles


def _plot_block(
    run_dir: RunDir,
    config: ExperimentConfig,
    by_stage: dict[str, dict[str, np.ndarray]],
    block: str,
    index: int,
    name: str,
    patch: np.ndarray,
) -> Path:
    path = run_dir.figures / f"responses_{name}_{block}.png"
    figures.plot_responses(
        path,
        patch=patch,
        responses={title: values[block][index] for title, values in by_stage.items()},
        title=f"{name}: {config.backbone.name} {block}, first convolution",
    )
    return path


def _plot_roc(run_dir: RunDir, config: ExperimentConfig) -> Path:
    predictions = read_predictions(run_dir.predictions("test"))
    scores = read_json(run_dir.report_json)
    positive = config.target.classes.index(config.target.positive)
    auc = scores["test"]["patch"]["scores"]["auc"]
    path = run_dir.figures / "roc.png"
    curve = figures.Curve(
        name=config.name,
        label=(predictions.label == positive).astype(int),
        score=predictions.probability[:, positive],
        area=(auc["value"], auc["low"], auc["high"]),
        threshold=scores["threshold"],
    )
    figures.plot_roc(path, curves=[curve], title="Test split, patches")
    return path


def _test_patches(config: ExperimentConfig) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for record in read_records(config.target.records, "test"):
        name = config.target.classes[record.label]
        if name not in found:
            found[name] = decode(record.image, config.backbone.image_size).numpy()
        if len(found) == len(config.target.classes):
            break
    return found


def _own_patches(
    config: ExperimentConfig, images: Sequence[str]
) -> dict[str, np.ndarray]:
    patches = {}
    for path in images:
        try:
            data = Path(path).read_bytes()
            patches[Path(path).stem] = decode(data, config.backbone.image_size).numpy()
        except (OSError, tf.errors.InvalidArgumentError) as error:
            raise InputError(
                "A PNG, JPEG or BMP picture was expected. "
                f"Received: --images {path} ({str(error).splitlines()[0]}). "
                "Convert it, or mend the path."
            ) from error
    return patches


def _write_events(folder: Path, pictures: Sequence[Path]) -> None:
    """The same pictures in TensorBoard."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=0):
        for path in pictures:
            image = tf.io.decode_png(path.read_bytes(), channels=3)
            tf.summary.image(path.stem, image[None])
    writer.close()
