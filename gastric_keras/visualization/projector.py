"""TensorBoard's embedding projector: the same patches as each stage sees them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.data.decode import decode
from gastric_keras.imaging.mosaic import WHITE, join_patches
from gastric_keras.records.schema import PatchRecord, read_records, record_key
from gastric_keras.records.subsets import first_ranked
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.files import write_atomic
from gastric_keras.training.head_probe import extract_features

#: Patches that are shown, at most: the browser still turns that many smoothly.
LIMIT = 500
#: Side in px of a patch in the picture that the projector cuts its points from.
SPRITE_SIZE = 48
SPLIT = "validation"


def write_projector(
    config: ExperimentConfig, run_dir: RunDir, models: Mapping[str, keras.Model]
) -> Path:
    """Write the features of validation patches at t=0, t=1 and t=2.

    Args:
        config: of the run.
        run_dir: of the run.
        models: stage -> its model, for each stage of ``config.ladder``.

    Returns:
        Folder of the projector's files.
    """
    folder = run_dir.projector
    shutil.rmtree(folder, ignore_errors=True)
    records = choose_patches(config.target.records)
    write_atomic(folder / "metadata.tsv", _metadata(records, config.target.classes))
    small = np.stack([decode(record.image, SPRITE_SIZE) for record in records])
    sprite = join_patches(_fill_square(small), columns=math.isqrt(len(small) - 1) + 1)
    write_atomic(folder / "sprite.png", tf.io.encode_png(sprite).numpy())
    size = config.backbone.image_size
    patches = tf.data.Dataset.from_tensor_slices(
        {
            "image": np.stack([decode(record.image, size) for record in records]),
            "label": [record.label for record in records],
        }
    ).batch(config.target.fit.batch_size)
    shown = projector.ProjectorConfig()
    for stage, title in config.ladder.items():
        features, _ = extract_features(models[stage], patches)
        name = f"features_{stage}.tsv"
        write_atomic(folder / name, _tsv(features))
        embedding = shown.embeddings.add()
        embedding.tensor_name = f"{title} ({stage})"
        embedding.tensor_path, embedding.metadata_path = name, "metadata.tsv"
        embedding.sprite.image_path = "sprite.png"
        embedding.sprite.single_image_dim.extend((SPRITE_SIZE, SPRITE_SIZE))
    projector.visualize_embeddings(str(folder), shown)
    _introduce(folder, len(records))
    return folder


def _fill_square(patches: np.ndarray) -> np.ndarray:
    """White patches behind them, to as many rows as columns: of a sprite that is not
    square TensorBoard shows other patches than those of the points."""
    side = math.isqrt(len(patches) - 1) + 1
    blank = np.full((side**2 - len(patches), *patches.shape[1:]), WHITE, np.uint8)
    return np.concatenate([patches, blank])


def choose_patches(records: Path | str) -> list[PatchRecord]:
    """The same validation patches of a set every time, in the order of the records.

    Args:
        records: folder of the set.

    Returns:
        All of them, or ``LIMIT`` by rank.
    """
    # Twice through the file, so that a large split is never in memory.
    keys = first_ranked(map(_key, read_records(records, SPLIT)), LIMIT)
    return [r for r in read_records(records, SPLIT) if _key(r) in keys]


def _key(record: PatchRecord) -> str:
    return record_key(record.image_id, record.x, record.y)


def _metadata(records: Sequence[PatchRecord], classes: Sequence[str]) -> str:
    lines = ["label\tcase\timage\tsplit"]
    lines += [
        f"{classes[r.label]}\t{r.case_id}\t{r.image_id}\t{SPLIT}" for r in records
    ]
    return "\n".join(lines) + "\n"


def _tsv(features: np.ndarray) -> str:
    # Six digits, so that the file stays below a few MB; a bfloat16 cannot be formatted.
    features = np.asarray(features, np.float32)
    rows = ("\t".join(f"{value:.6g}" for value in row) for row in features)
    return "\n".join(rows) + "\n"


def _introduce(folder: Path, patches: int) -> None:
    """TensorBoard looks for a projector only where there are events too."""
    with tf.summary.create_file_writer(str(folder)).as_default():
        tf.summary.text(
            "projector",
            f"{patches} patches of the {SPLIT} split; their pooled features before the "
            "mid-level stage (t=0), after it (t=1) and after the target stage (t=2) "
            "stand under *Projector*.",
            step=0,
        )
