"""The target model as a SavedModel that TF Serving can serve."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from gastric_keras.config import ExperimentConfig
from gastric_keras.evaluate import require_target
from gastric_keras.files import read_json, write_json
from gastric_keras.input_pipeline import decode
from gastric_keras.run_dir import RunDir
from gastric_keras.stage_models import load_stage


def run_export(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Stage export: write ``export/1/``, a SavedModel with preprocessing inside.

    Args:
        config: of the run.
        run_dir: with finished stages target and evaluate (for the threshold).
        force: do it again.

    Raises:
        InputError: an earlier stage is not finished.
    """
    if run_dir.done("export").is_file() and not force:
        print(f"export: finished, the model stands in {run_dir.export / '1'}")
        return
    require_target(run_dir)
    run_dir.reopen("export")
    threshold = float(read_json(run_dir.report_json)["threshold"])
    model = load_stage(config, run_dir, "target")
    folder = run_dir.export / "1"
    partial = run_dir.export / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    export_model(
        model,
        partial,
        classes=config.target.classes,
        positive=config.target.positive,
        threshold=threshold,
    )
    # TF Serving watches this folder: it must never see half a version.
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    write_json(run_dir.done("export"), {"folder": "1", "threshold": threshold})
    print(f"export: SavedModel for TF Serving in {folder}")


def export_model(
    model: keras.Model,
    folder: Path,
    *,
    classes: tuple[str, ...],
    positive: str,
    threshold: float,
) -> None:
    """Write a classifier as a SavedModel.

    Signatures: ``serving_default`` takes ``image_bytes`` (N,) string, JPEG or PNG of
    any size (it is resized as in training), ``predict_array`` takes ``patch``
    (N, h, w, 3) uint8 of the model's size. Both give ``probabilities`` (N, classes),
    ``<positive>_probability`` (N,), ``label`` (N,) string, the call at the threshold,
    and ``threshold`` (N,).

    Args:
        model: two-class classifier out of ``build_classifier``.
        folder: to be made.
        classes: names, in label order.
        positive: of them.
        threshold: from validation; a probability at or above it is called positive.
    """
    height, width = model.input_shape[1:3]
    index = classes.index(positive)
    negative = classes[1 - index]

    def outputs(patches: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = model(patches, training=False)
        score = probabilities[:, index]
        return {
            "probabilities": probabilities,
            f"{positive}_probability": score,
            "label": tf.where(score >= threshold, positive, negative),
            "threshold": tf.fill(tf.shape(score), tf.constant(threshold, tf.float32)),
        }

    def from_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        patches = tf.map_fn(
            lambda image: decode(image, height),
            image_bytes,
            fn_output_signature=tf.uint8,
        )
        return outputs(tf.reshape(patches, (-1, height, width, 3)))

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serving_default",
        from_bytes,
        input_signature=[tf.TensorSpec((None,), tf.string, "image_bytes")],
    )
    archive.add_endpoint(
        "predict_array",
        outputs,
        input_signature=[tf.TensorSpec((None, height, width, 3), tf.uint8, "patch")],
    )
    archive.write_out(str(folder), verbose=False)
