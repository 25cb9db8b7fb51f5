"""Evaluate, export, visualize on a finished run; the served model against the CSV."""

from __future__ import annotations

import base64
import csv
import dataclasses
import json
import re
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.config.experiment import (
    BackboneConfig,
    EvaluateConfig,
    ExperimentConfig,
    ExportConfig,
    MidConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.predict import PredictConfig
from gastric_keras.evaluation import evaluate
from gastric_keras.models.classifier import build_classifier
from gastric_keras.prediction.stage import run_predict
from gastric_keras.records.manifest import MANIFEST_NAME, read_manifest
from gastric_keras.records.schema import read_records
from gastric_keras.runs.predictions import (
    Predictions,
    read_predictions,
    write_predictions,
)
from gastric_keras.runs.provenance import open_run
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.serving import export
from gastric_keras.serving.warmup import WARMUP
from gastric_keras.statistics.calibration import apply_temperature, scale_threshold
from gastric_keras.statistics.case_rules import fit_case_calls
from gastric_keras.statistics.scores import Score
from gastric_keras.statistics.split_report import case_means
from gastric_keras.statistics.thresholds import best_threshold
from gastric_keras.statistics.words import spell_score
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, sha256_of, write_json
from gastric_keras.training import ladder as stages
from gastric_keras.visualization import responses, visualize
from gastric_keras.visualization.views import read_test_views
from tests.helpers.serving_process import serve
from tests.helpers.small_sets import write_small_set

FIT = FitConfig(epochs=1, batch_size=6)
CLUSTERS = ("cluster_0", "cluster_1")

# No test here looks at them.
pytestmark = pytest.mark.usefixtures("without_pictures")


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
    with pytest.raises(InputError, match="Stage target must be finished, got"):
        evaluate.run_evaluate(config, run_dir)
    open_run(config, run_dir)
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


def test_a_process_with_only_tensorflow_serves_what_was_evaluated(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    images = [r.image for r in read_records(config.target.records, "test")]
    instances = [{"b64": base64.b64encode(image).decode()} for image in images]
    with serve(run_dir.export / "1") as url:
        request = urllib.request.Request(
            f"{url}:predict", json.dumps({"instances": instances}).encode()
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            rows = json.load(answer)["predictions"]
    predictions = read_predictions(run_dir.predictions("test"))
    report = read_json(run_dir.report_json)
    np.testing.assert_allclose(
        [row["raw_probabilities"] for row in rows], predictions.probability, atol=1e-5
    )
    scaled = apply_temperature(predictions.probability, report["temperature"])
    np.testing.assert_allclose(
        [row["malignant_probability"] for row in rows], scaled[:, 1], atol=1e-5
    )
    called = predictions.probability[:, 1].astype(float) >= report["threshold"]
    assert [row["label"] for row in rows] == [
        "malignant" if x else "benign" for x in called
    ]


def test_predict_says_of_a_patch_and_a_case_what_evaluation_said(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, run_dir = run
    rows = ["path,case_id"]
    for number, record in enumerate(read_records(config.target.records, "test")):
        (tmp_path / f"{number:02}.jpg").write_bytes(record.image)
        rows.append(f"{number:02}.jpg,{record.case_id}")
    index = tmp_path / "index.csv"
    index.write_text("\n".join(rows) + "\n")
    out = tmp_path / "out"
    run_predict(
        PredictConfig(), images=[tmp_path], model=run_dir.export, out=out, cases=index
    )
    test, report = (
        read_predictions(run_dir.predictions("test")),
        read_json(run_dir.report_json),
    )
    found = _columns(out / "predictions.csv")
    raw, threshold = test.probability[:, 1], report["threshold"]
    np.testing.assert_allclose(
        np.array(found["raw_malignant_probability"], float), raw, atol=1e-5
    )
    names = np.array(["benign", "malignant"])
    called = names[(raw.astype(float) >= threshold).astype(int)]
    assert found["label"] == called.tolist()
    case_id, _, mean = case_means(test.label, raw.astype(float), test.case_id)
    found = _columns(out / "cases.csv")
    assert found["case_id"] == case_id.tolist()
    np.testing.assert_allclose(
        np.array(found["malignant_score"], float), mean, atol=1e-5
    )
    assert found["label"] == names[(mean >= threshold).astype(int)].tolist()
    confusion = report["test"]["case"]["at_threshold"]["confusion"]
    positives = sum(row[1] for row in confusion)
    assert found["label"].count("malignant") == positives


def _columns(path: Path) -> dict[str, list[str]]:
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [row[name] for row in rows] for name in rows[0]}


def _fitted_calls(run_dir: RunDir, report: dict[str, Any]) -> dict[str, Any]:
    validation = read_predictions(run_dir.predictions("validation"))
    label, score = validation.positives("malignant")
    rule, threshold = ExportConfig().case_rule, report["threshold"]
    calls = fit_case_calls(
        label, score, validation.case_id, rule=rule, top=10, threshold=threshold
    )
    assert calls.thresholds["mean"] == threshold and len(calls.thresholds) == 4
    return dataclasses.asdict(calls)


def test_metadata_and_card_are_those_of_the_run(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    version = run_dir.export / "1"
    metadata = read_json(version / "assets" / "metadata.json")
    report = read_json(run_dir.report_json)
    manifest = read_manifest(config.target.records)
    provenance = read_json(run_dir.provenance)
    assert metadata["threshold"] == pytest.approx(
        scale_threshold(report["threshold"], report["temperature"])
    )
    wanted = {
        "classes": ["benign", "malignant"],
        "positive": "malignant",
        "raw_threshold": report["threshold"],
        "temperature": report["temperature"],
        "mpp": manifest.mpp,
        "patch_size": 80,
        "image_size": 64,
        "case_calls": _fitted_calls(run_dir, report),
        "backbone": "alexnet",
        "name": "exported",
        "version": 1,
        "seed": 0,
        "commit": provenance["commit"],
        "weights_sha256": sha256_of(run_dir.weights("target")),
    }
    assert {key: metadata[key] for key in wanted} == wanted
    for stage, section in (("mid", config.mid), ("target", config.target)):
        assert section is not None
        manifest_file = Path(section.records) / MANIFEST_NAME
        found = metadata["records"][stage]["manifest_sha256"]
        assert found == sha256_of(manifest_file)
    labels = (version / "assets" / "labels.txt").read_text().split()
    assert labels == ["benign", "malignant"]
    card = (version / "model_card.md").read_text()
    auc = spell_score(Score(**report["test"]["patch"]["scores"]["auc"]))
    for words in (
        "# Model card: exported, version 1",
        "AlexNet",
        f"| AUC | {auc.value} ({auc.interval}) | the same |",
        "0.5 µm/px in training: 40 µm of tissue",
        "cluster_0, cluster_1",
        "train 12 (6), validation 10 (6), test 12 (6)",
        f"temperature {report['temperature']:.3f}",
        "no diagnostic device",
        f"or\nabove {report['threshold']:.4f}, fixed on",
    ):
        assert words in card, words
    # What a template leaves behind when a value was not there.
    assert not re.search(r"\{\{|\{%|\bNone\b|\bnan\b", card)


def test_warm_up_shows_the_server_no_picture_of_the_set(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    raws = tf.data.TFRecordDataset(str(run_dir.export / "1" / WARMUP))
    requests = [
        PredictionLog.FromString(raw).predict_log.request
        for raw in raws.as_numpy_iterator()
    ]
    found = [(r.model_spec.signature_name, list(r.inputs)) for r in requests]
    assert ("serving_default", ["image_bytes"]) in found
    assert {name for name, _ in found} == {
        "serving_default",
        "predict_array",
        "features",
    }
    sent = tf.make_ndarray(requests[0].inputs["image_bytes"])
    # The size that clients will send, and noise.
    assert tf.io.decode_jpeg(sent[0]).shape == (80, 80, 3)
    records = read_records(config.target.records, "test")
    assert sent[0] not in {record.image for record in records}


def test_a_new_export_is_a_higher_version_and_old_ones_stay(
    run: tuple[ExperimentConfig, RunDir],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, old = run
    run_dir = RunDir(tmp_path / config.name)
    shutil.copytree(old.root, run_dir.root)
    before = (run_dir.export / "1" / "saved_model.pb").read_bytes()
    held = {path.name for path in run_dir.export.iterdir()}
    # Not a version; one that TF Serving was told to keep; one cut short.
    for name in ("notes", "7", ".partial"):
        (run_dir.export / name).mkdir()
    export.run_export(config, run_dir, force=True)
    names = {path.name for path in run_dir.export.iterdir()}
    assert "1" in held and names == held | {"7", "8", "notes"}
    assert (run_dir.export / "1" / "saved_model.pb").read_bytes() == before
    metadata = read_json(run_dir.export / "8" / "assets" / "metadata.json")
    assert metadata["version"] == 8
    capsys.readouterr()
    export.run_export(config, run_dir)
    assert f"the model is in {run_dir.export / '8'}" in capsys.readouterr().out
    # A model that was deleted is not finished.
    shutil.rmtree(run_dir.export / "8")
    export.run_export(config, run_dir)
    assert (run_dir.export / "8" / "saved_model.pb").is_file()


def forget_checksums(run_dir: RunDir) -> None:
    """As done.json was in earlier versions."""
    done = read_json(run_dir.done("evaluate"))
    del done["sha256"]
    write_json(run_dir.done("evaluate"), done)


def test_a_report_without_a_temperature_is_refused(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, old = run
    run_dir = RunDir(tmp_path / config.name)
    shutil.copytree(old.root, run_dir.root)
    report = read_json(run_dir.report_json)
    del report["temperature"]
    write_json(run_dir.report_json, report)
    forget_checksums(run_dir)
    with pytest.raises(
        InputError, match="must have a temperature.*exported.*evaluate: it rescores"
    ):
        export.run_export(config, run_dir, force=True)
    # What stood still stands.
    assert run_dir.done("export").is_file() and (run_dir.export / "1").is_dir()


def test_visualize_writes_pictures_and_events(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, run_dir = run
    visualize.run_visualize(config, run_dir)
    names = {path.name for path in run_dir.figures.glob("*.png")}
    blocks = BACKBONES["alexnet"].first_convolutions
    test = read_predictions(run_dir.predictions("test"))
    threshold = read_json(run_dir.report_json)["threshold"]
    errors = test.hardest_errors("malignant", threshold, most=6)
    kinds = {"filters.png": "filters"}
    for name in ("benign", "malignant"):
        kinds[f"responses_{name}.png"] = "responses"
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
    test = read_predictions(run_dir.predictions("test"))
    with pytest.raises(InputError, match="not in their place. Run --stage evaluate"):
        read_test_views(changed, test, threshold=0.5)


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


@pytest.mark.parametrize(
    "row",
    [
        b"a,b,0,0,1,0.4,x\n",
        b"a,b,0,0,7,0.4,0.6\n",
        b"a,b,0,0,-1,0.4,0.6\n",
        b"a,b,0,0,1,0.4\n",
        b"a,b,0,0,0.5,0.4,0.6\n",
        b"a,b,99999999999999999999,0,1,0.4,0.6\n",
        b"a\xff,b,0,0,1,0.4,0.6\n",
        b"a\0,b,0,0,1,0.4,0.6,7\n",
        b"a,b,8,0,0,0.6,0.4\n",
        b"a,b,0,0,1,-0.7,1.7\n",
        b"a,b,0,0,1,0.4,0.7\n",
        b"a,b,0,0,1,nan,0.6\n",
    ],
)
def test_a_damaged_predictions_file_is_refused(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "p.csv"
    header = b"case_id,image_id,x,y,label,p_benign,p_malignant\n"
    path.write_bytes(header + b"a,b,8,0,0,0.6,0.4\n" + row)
    with pytest.raises(InputError, match="as --stage evaluate writes them, got"):
        read_predictions(path)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("case_id,image_id,x,y,label,p_a,p_a\na,b,0,0,0,0.6,0.4\n")
    with pytest.raises(InputError, match="a repeated column"):
        read_predictions(path)


def test_a_diverged_network_s_predictions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("case_id,image_id,x,y,label,p_a,p_b\na,b,0,0,0,nan,nan\n")
    assert np.isnan(read_predictions(path).probability).all()


def test_predictions_that_lack_patches_are_not_scored(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    path = run_dir.predictions("test")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    wider = dataclasses.replace(config, evaluate=EvaluateConfig(bootstrap=123))
    forget_checksums(run_dir)
    with pytest.raises(InputError, match="patches in split test, got"):
        evaluate.run_evaluate(wider, run_dir)
    path.write_bytes(whole.replace(b"p_benign,p_malignant", b"p_malignant,p_benign"))
    with pytest.raises(InputError, match="the classes benign, malignant, got"):
        evaluate.run_evaluate(wider, run_dir)
    path.write_bytes(whole)
    evaluate.run_evaluate(config, run_dir)


def test_damaged_scores_are_made_anew_from_the_predictions(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = run
    whole = run_dir.report_json.read_bytes()
    run_dir.report_json.write_bytes(whole[:-99])
    evaluate.run_evaluate(config, run_dir)
    assert run_dir.report_json.read_bytes() == whole
