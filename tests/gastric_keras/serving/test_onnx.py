"""The ONNX file answers as the served model does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.config.experiment import (
    BackboneConfig,
    ExperimentConfig,
    ExportConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.inference import build_forward
from gastric_keras.serving import onnx as onnx_file
from gastric_keras.serving.onnx import check_onnx, write_onnx
from gastric_keras.serving.operating_point import OperatingPoint, call
from gastric_keras.support.errors import InputError
from tests.helpers.small_models import SMALL, draw_patches

POINT = OperatingPoint(("benign", "malignant"), "benign", 0.4, 1.7)


@pytest.mark.parametrize("backbone", BACKBONES)
# tf2onnx asks NumPy for what NumPy has deprecated.
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_onnx_equals_the_served_model(backbone: str, tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(package, reason="pip install -e '.[onnx]' for this test")
    import onnxruntime

    size = SMALL[backbone]
    model = build_classifier(backbone, 2, image_size=size, weights="none")
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([10 * kernel, bias])
    write_onnx(model, tmp_path / "m.onnx", point=POINT, metadata={"threshold": 0.1})
    session = onnxruntime.InferenceSession(
        str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"]
    )
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["metadata"]) == {"threshold": 0.1}
    for n in (1, 64):
        patch = draw_patches(n, size, size)
        wanted = call(build_forward(model)(tf.constant(patch)), POINT)
        names = ["probability", "raw_probabilities"]
        probability, raw = session.run(names, {"patch": patch})
        np.testing.assert_allclose(probability, wanted["benign_probability"], atol=1e-5)
        np.testing.assert_allclose(raw, wanted["raw_probabilities"], atol=1e-5)


def config(precision: str) -> ExperimentConfig:
    return ExperimentConfig(
        name="a",
        backbone=BackboneConfig("alexnet"),
        target=TargetConfig("records"),
        export=ExportConfig(onnx=True),
        runtime=RuntimeConfig(precision=precision),  # type: ignore[arg-type]
    )


def test_onnx_needs_its_packages_and_whole_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: object())
    check_onnx(config("float32"))
    with pytest.raises(InputError, match="precision='mixed_bfloat16'.*onnx=false"):
        check_onnx(config("mixed_bfloat16"))
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"the package onnx, got.*\.\[onnx\]"):
        check_onnx(config("float32"))
