"""The classifier as an ONNX file, for servers other than TF Serving."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import keras

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.serving.class_point import ClassPoint
from gastric_keras.serving.metadata import ExportMetadata
from gastric_keras.serving.operating_point import OperatingPoint
from gastric_keras.statistics.calibration import SMALLEST
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.versions import install_command

OPSET = 18


def check_onnx(config: ExperimentConfig) -> None:
    """Say early that a file cannot be written.

    Raises:
        InputError: a package is missing, or the run is in half precision.
    """
    for package in ("onnx", "tf2onnx"):
        if find_spec(package) is None:
            raise InputError(
                f"export.onnx must have the package {package}, got an installation "
                f"without it. Run {install_command('onnx')}, or set export.onnx=false."
            )
    require(
        config.runtime.precision == "float32",
        "runtime.precision must be float32 for export.onnx",
        "ONNX has no such arithmetic on CPUs, and in float32 the model would not equal "
        "its evaluation; set export.onnx=false.",
        precision=config.runtime.precision,
    )


def write_onnx(
    model: keras.Model,
    path: Path,
    *,
    point: OperatingPoint | ClassPoint,
    metadata: ExportMetadata,
) -> None:
    """Write a classifier as ONNX.

    Input ``patch`` (N, h, w, 3) uint8 RGB of the model's size; outputs ``probability``
    (N,) float32 of the positive class, calibrated, and ``raw_probabilities``
    (N, classes) float32; of more than two classes ``probabilities`` (N, classes)
    takes the place of ``probability``. The property ``metadata`` of the model holds
    the JSON of ``metadata.json``, the threshold among it.

    Args:
        model: classifier out of ``build_classifier``.
        path: of the file.
        point: of the run.
        metadata: of the export.
    """
    import onnx
    import tf2onnx

    raw = model.output
    logits = keras.ops.log(keras.ops.clip(raw, SMALLEST, 1.0)) / point.temperature
    calibrated, name = keras.ops.softmax(logits), "probabilities"
    if isinstance(point, OperatingPoint):
        calibrated, name = calibrated[:, point.index], "probability"
    outputs = [
        keras.layers.Identity(name=name, dtype="float32")(calibrated),
        keras.layers.Identity(name="raw_probabilities", dtype="float32")(raw),
    ]
    # from_function and Keras' own export make inputs of the constants in preprocessing.
    proto, _ = tf2onnx.convert.from_keras(
        keras.Model(model.input, outputs), opset=OPSET
    )
    onnx.helper.set_model_props(proto, {"metadata": json.dumps(asdict(metadata))})
    onnx.save(proto, str(path))
