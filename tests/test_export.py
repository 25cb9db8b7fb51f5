"""Evaluate, export, visualize on a finished run; the served model against the CSV."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gastric_keras import evaluate, export, responses, stages, visualize
from gastric_keras.config import (
    BackboneConfig,
    EvaluateConfig,
    ExperimentConfig,
    FitConfig,
    MidConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.errors import InputError
from gastric_keras.evaluate import Predictions, read_predictions, write_predictions
from gastric_keras.files import read_json
from gastric_keras.metrics import best_threshold
from gastric_keras.models import BACKBONES, build_classifier
from gastric_keras.records import read_records
from gastric_keras.run_dir import RunDir
from gastric_keras.tables import hardest_errors
from gastric_keras.views import read_test_views
from tests.small_sets import write_small_set

FIT = FitConfig(epochs=1, batch_size=6)
CLUSTERS = ("cluster_0", "cluster_1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExperimentConfig, RunDir]:
    root = tmp_path_factory.mktemp("export")
    write_small_set(
        root / "nuclei", "nuclei", CLUSTERS, per_class={"train": 6, "validation": 3}
    )
    write_small_set(
        root / "target",
        "target",
        ("benign", "malignant"),
        per_class={"train": 6, "validation": 5, "test": 6},
        # Not the network's size: resizing is a part of what must agree.
        size=80,
        # The bytes that a client would send.
        suffix=".jpg",
    )
    config = ExperimentConfig(
        name="exported",
        backbone=BackboneConfig("alexnet", weights="none", image_size=64),
        mid=MidConfig(str(root / "nuclei"), CLUSTERS, fit=FIT),
        target=TargetConfig(str(root / "target"), fit=FIT),
        evaluate=EvaluateConfig(bootstrap=100),
        runtime=RuntimeConfig(output=str(root / "runs")),
    )
    run_dir = RunDir(root / "runs" / config.name)
    with pytest.raises(InputError, match="finished stage target was expected"):
        evaluate.run_evaluate(config, run_dir)
    stages.run_mid(config, run_dir)
    stages.run_target(config, run_dir)
    evaluate.run_evaluate(config, run_dir)
    export.run_export(config, run_dir)
    return config, run_dir


def test_predictions_are_the_records_in_order(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    predictions = read_predictions(run_dir.predictions("test"))
    records = list(read_records(config.target.records, "test"))
    assert predictions.image_id.tolist() == [r.image_id for r in records]
    assert predictions.label.tolist() == [r.label for r in records]
    np.testing.assert_allclose(predictions.probability.sum(1), 1, atol=1e-6)


def test_scores_use_the_validation_threshold(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    report = read_json(run_dir.report_json)
    validation = read_predictions(run_dir.predictions("validation"))
    chosen = best_threshold(validation.label, validation.probability[:, 1])
    assert report["threshold"] == chosen
    assert report["test"]["patch"]["at_threshold"]["threshold"] == report["threshold"]
    assert (report["mid"], report["backbone"]) == ("nuclei", "alexnet")
    assert report["test"]["patch"]["n"] == 12


def test_finished_stages_are_skipped(
    run: tuple[ExperimentConfig, RunDir], capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.run_evaluate(*run)
    export.run_export(*run)
    said = capsys.readouterr().out
    assert "evaluate: finished" in said and "export: finished" in said


def test_other_intervals_are_scored_anew_and_reopen_what_follows(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    wider = dataclasses.replace(config, evaluate=EvaluateConfig(150, 0.8))
    evaluate.run_evaluate(wider, run_dir)
    assert read_json(run_dir.report_json)["test"]["confidence"] == 0.8
    assert run_dir.done("target").is_file()
    assert not run_dir.done("export").exists()
    evaluate.run_evaluate(config, run_dir)
    export.run_export(config, run_dir)
    assert read_json(run_dir.report_json)["test"]["confidence"] == 0.95


def test_served_without_gastric_keras_equals_predictions(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, run_dir = run
    paths = []
    for i, record in enumerate(read_records(config.target.records, "test")):
        paths.append(tmp_path / f"{i}.jpg")
        paths[-1].write_bytes(record.image)
    # Neither the checkout nor its installed link can be imported from there.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    script = Path(__file__).with_name("served.py")
    launcher = (
        "import sys, runpy;"
        "sys.path[:] = [p for p in sys.path if 'site-packages' in p or 'python3' in p];"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)];"
        f"sys.argv = {[str(script), str(run_dir.export / '1'), *map(str, paths)]!r};"
        f"runpy.run_path({str(script)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", launcher],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(x for x in done.stdout.splitlines() if x.startswith("RESULT "))
    answer = json.loads(line.removeprefix("RESULT "))
    predictions = read_predictions(run_dir.predictions("test"))
    np.testing.assert_allclose(
        answer["probabilities"], predictions.probability, atol=1e-5
    )
    threshold = read_json(run_dir.report_json)["threshold"]
    called = predictions.probability[:, 1] >= threshold
    assert answer["label"] == ["malignant" if x else "benign" for x in called]
    np.testing.assert_allclose(
        answer["malignant_probability"], predictions.probability[:, 1], atol=1e-5
    )


def test_signatures_take_jpeg_of_any_size_and_arrays(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    _, run_dir = run
    loaded = tf.saved_model.load(str(run_dir.export / "1"))
    rng = np.random.default_rng(0)
    pictures = [
        tf.io.encode_jpeg(rng.integers(0, 256, (h, w, 3)).astype(np.uint8))
        for h, w in ((40, 90), (64, 64), (300, 200))
    ]
    answer = loaded.signatures["serving_default"](image_bytes=tf.stack(pictures))
    assert answer["malignant_probability"].shape == (3,)
    square = tf.io.decode_jpeg(pictures[1])[None]
    same = loaded.signatures["predict_array"](patch=square)
    np.testing.assert_allclose(
        same["probabilities"][0], answer["probabilities"][1], atol=1e-5
    )


def test_visualize_writes_pictures_and_events(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, run_dir = run
    visualize.run_visualize(config, run_dir)
    names = {path.name for path in run_dir.figures.glob("*.png")}
    blocks = BACKBONES["alexnet"].first_convolutions
    test = read_predictions(run_dir.predictions("test"))
    threshold = read_json(run_dir.report_json)["threshold"]
    errors = hardest_errors(test, "malignant", threshold, most=6)
    kinds = {"filters.png": "filters"}
    for name in ("benign", "malignant"):
        kinds |= {f"responses_{name}_{block}.png": "responses" for block in blocks}
        kinds[f"gradcam_{name}.png"] = "decision"
    kinds |= {f"gradcam_error_{i + 1}.png": "error" for i in range(len(errors))}
    assert names == {"roc.png", *kinds}
    pictures = read_json(run_dir.pictures)
    assert {item["file"]: item["kind"] for item in pictures} == kinds
    texts = {item["file"]: item["text"] for item in pictures}
    first = int(np.argmax(test.label == 1))
    assert f"case {test.case_id[first]}" in texts["gradcam_malignant.png"]
    # The same probability as in the table, from the same patch.
    p = test.probability[first, 1]
    assert f"p(malignant) = {p:.3f}" in texts["gradcam_malignant.png"]
    assert "at t=0, t=1, t=2" in texts["filters.png"]
    events = EventAccumulator(str(run_dir.stage("visualize"))).Reload()
    assert len(events.Tags()["tensors"]) == len(names)


def test_visualize_takes_pictures_of_ones_own(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, run_dir = run
    before = read_json(run_dir.pictures)
    image = next(read_records(config.target.records, "test")).image
    for folder in ("left", "right"):
        (tmp_path / folder).mkdir()
    own = [tmp_path / "left" / "my <b>1.jpg", tmp_path / "right" / "my <b>1.jpg"]
    for path in own:
        path.write_bytes(image)
    visualize.run_visualize(config, run_dir, images=[str(path) for path in own])
    pictures = read_json(run_dir.pictures)
    assert pictures[: len(before)] == before
    added = {item["file"]: item["text"] for item in pictures[len(before) :]}
    # Neither takes the place of the other.
    assert {"gradcam_my__b_1.png", "gradcam_my__b_1-2.png"} <= added.keys()
    assert all((run_dir.figures / file).is_file() for file in added)
    assert "The picture my <b>1.jpg, called" in added["gradcam_my__b_1.png"]
    with pytest.raises(InputError, match="--images .*none.png"):
        visualize.run_visualize(config, run_dir, images=[str(tmp_path / "none.png")])


def test_visualize_refuses_another_test_split(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, run_dir = run
    other = tmp_path / "target"
    write_small_set(other, "target", ("benign", "malignant"), per_class={"test": 3})
    target = dataclasses.replace(config.target, records=str(other))
    changed = dataclasses.replace(config, target=target)
    with pytest.raises(InputError, match="not in their place. Run --stage evaluate"):
        read_test_views(changed, run_dir, threshold=0.5)


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_kernels_come_in_red_green_blue(
    classifiers: dict[str, Any], backbone: str
) -> None:
    """A kernel that sees red alone is red, whatever the order of the network."""
    model = classifiers[backbone][0]
    name = next(iter(BACKBONES[backbone].first_convolutions.values()))
    layer = model.get_layer("backbone").get_layer(name)
    before = layer.get_weights()
    try:
        red = np.zeros_like(before[0])
        red[:, :, 2 if backbone == "vgg16" else 0] = 1
        layer.set_weights([red, *before[1:]])
        found = responses.first_kernels(model, backbone=backbone)
    finally:
        layer.set_weights(before)
    assert found.shape == before[0].shape and found.dtype == np.float32
    assert (found[:, :, 0] == 1).all() and not found[:, :, 1:].any()


def test_responses_are_those_of_the_convolution() -> None:
    model = build_classifier("vgg16", 2, image_size=32, weights="none")
    patch = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    found = responses.filter_responses(model, patch, backbone="vgg16")
    assert [found[f"block{i}"].shape[-1] for i in range(1, 6)] == [
        64,
        128,
        256,
        512,
        512,
    ]
    kernel = model.get_layer("backbone").get_layer("block1_conv1").kernel
    # VGG takes BGR with the ImageNet mean taken off; the first response is then a
    # plain convolution.
    prepared = patch[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32)
    wanted = tf.nn.relu(tf.nn.conv2d(prepared.astype(np.float32), kernel, 1, "SAME"))
    np.testing.assert_allclose(found["block1"], wanted, atol=1e-3)


def test_predictions_survive_the_file_to_the_bit(tmp_path: Path) -> None:
    probability = np.random.default_rng(0).dirichlet((1, 1), 50).astype(np.float32)
    predictions = Predictions(
        classes=("benign", "malignant"),
        case_id=np.array([f"case {i % 7}, left" for i in range(50)]),
        image_id=np.array(["ä.png"] * 50),
        x=np.arange(50),
        y=np.zeros(50, int),
        label=np.arange(50) % 2,
        probability=probability,
    )
    write_predictions(tmp_path / "p.csv", predictions)
    back = read_predictions(tmp_path / "p.csv")
    assert back.probability.dtype == np.float32
    assert np.array_equal(back.probability, probability)
    assert back.case_id.tolist() == predictions.case_id.tolist()


def test_predictions_file_missing_or_foreign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Run --stage evaluate first"):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="columns case_id, image_id, x, y, label"):
        read_predictions(tmp_path / "other.csv")
