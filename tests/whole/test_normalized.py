"""A set whose stain is normalized: run, export, server and heatmap see its pixels."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from data_prep.config.sets import (
    ColumnsConfig,
    SourceConfig,
    TargetSetConfig,
)
from data_prep.engine import Engine
from data_prep.sets.build import BuildOptions, build_target_set
from data_prep.sets.card import card_of
from gastric_keras.config.experiment import (
    BackboneConfig,
    EvaluateConfig,
    ExperimentConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.config.predict import PredictConfig
from gastric_keras.evaluation.evaluate import run_evaluate
from gastric_keras.heatmap.matching import fit_stain_of
from gastric_keras.heatmap.patches import patch_batches, plan_patches
from gastric_keras.heatmap.stage import run_heatmap
from gastric_keras.imaging.images import read_image
from gastric_keras.imaging.normalization import REFERENCE_AMOUNTS
from gastric_keras.imaging.slides import open_picture
from gastric_keras.prediction.stage import run_predict
from gastric_keras.records.schema import read_records
from gastric_keras.runs.predictions import read_predictions
from gastric_keras.runs.provenance import open_run
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.serving.export import run_export
from gastric_keras.serving.exported_model import ExportedModel, load_exported
from gastric_keras.serving.graph import decode_all
from gastric_keras.serving.stain import build_normalizer
from gastric_keras.support.files import read_json
from gastric_keras.training.ladder import run_target
from tests.gastric_keras.imaging.test_normalization import OTHER_STAINS, draw_tissue
from tests.helpers.own_network import registered
from tests.helpers.small_pictures import write_picture

SIDE = 64
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of other stains, and the Macenko set that data_prep makes of them."""
    root = tmp_path_factory.mktemp("normalized")
    rows = ["path,label,case_id,split"]
    for i in range(12):
        label = ("benign", "malignant")[i % 2]
        amounts = (0.5 + 0.05 * i) * REFERENCE_AMOUNTS
        pixels = draw_tissue(OTHER_STAINS, amounts, size=SIDE, seed=i)
        write_picture(root / "pictures" / f"p{i}.png", pixels)
        rows.append(f"p{i}.png,{label},c{i},{SPLITS[i // 4]}")
    (root / "index.csv").write_text("\n".join(rows) + "\n")
    source = SourceConfig(
        str(root / "pictures"),
        index=str(root / "index.csv"),
        columns=ColumnsConfig(split="split"),
        mpp=0.5,
    )
    config = TargetSetConfig(
        sources=(source,), patch_size=SIDE, normalization="macenko", artifacts=None
    )
    build_target_set(config, root / "set", options=BuildOptions(Engine(workers=1)))
    return root


@pytest.fixture(scope="module")
def finished(lab: Path) -> Iterator[tuple[RunDir, ExportedModel]]:
    """A run on that set and its export; the network is small."""
    with registered() as name:
        yield _finish(lab, name)


def _finish(lab: Path, network: str) -> tuple[RunDir, ExportedModel]:
    config = ExperimentConfig(
        "normalized",
        backbone=BackboneConfig(network, "none", image_size=SIDE),
        target=TargetConfig(str(lab / "set"), fit=FitConfig(epochs=1, batch_size=4)),
        evaluate=EvaluateConfig(bootstrap=100),
        runtime=RuntimeConfig(output=str(lab / "runs")),
    )
    run_dir = RunDir(lab / "runs" / config.name)
    open_run(config, run_dir)
    run_target(config, run_dir)
    run_evaluate(config, run_dir)
    run_export(config, run_dir)
    return run_dir, load_exported(run_dir.export)


def _stored(lab: Path) -> dict[str, npt.NDArray[np.uint8]]:
    patches = {}
    for record in read_records(lab / "set", "test"):
        bgr = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_COLOR)
        patches[Path(record.image_id).name] = bgr[..., ::-1]
    return patches


def test_the_served_graph_and_the_heatmap_see_the_stored_pixels(
    lab: Path, finished: tuple[RunDir, ExportedModel]
) -> None:
    stored = _stored(lab)
    assert len(stored) == 4
    for name, wanted in stored.items():
        path = lab / "pictures" / name
        assert np.abs(read_image(path).astype(int) - wanted).max() > 20
        served = decode_all(
            tf.constant([path.read_bytes()]),
            SIDE,
            normalize=build_normalizer("macenko"),
        ).numpy()[0]
        assert np.abs(served.astype(int) - wanted).max() <= 1
        with open_picture(path) as picture:
            plan = plan_patches(picture, SIDE, stride=1.0, min_tissue=0.0)
            batches = patch_batches(
                picture,
                plan,
                patch_size=SIDE,
                size=SIDE,
                batch_size=1,
                readers=1,
                fit=fit_stain_of(picture, finished[1]),
            )
            seen = [batch.numpy()[0] for _, batch in batches]
        assert len(seen) == 1 and (seen[0] == wanted).all()


def test_served_and_mapped_probabilities_are_those_of_evaluation(
    lab: Path, finished: tuple[RunDir, ExportedModel], tmp_path: Path
) -> None:
    run_dir, model = finished
    predictions = read_predictions(run_dir.predictions("test"))
    wanted = predictions.probability[:, 1]
    paths = [lab / "pictures" / Path(name).name for name in predictions.image_id]
    signatures = tf.saved_model.load(str(model.folder)).signatures
    pictures = tf.constant([path.read_bytes() for path in paths])
    served = signatures["serving_default"](image_bytes=pictures)
    raw = np.stack([read_image(path) for path in paths])
    unlike = signatures["predict_array"](patch=tf.constant(raw))
    apart = np.abs(served["raw_probabilities"].numpy()[:, 1] - wanted).max()
    # What a model that does not normalize would answer.
    lost = np.abs(unlike["raw_probabilities"].numpy()[:, 1] - wanted).max()
    assert apart < 0.01 and apart < lost / 5
    config = HeatmapConfig(slide_mpp=0.5, min_tissue=0.0)
    run_heatmap(config, slide=paths[:1], model=run_dir.export, out=tmp_path / "map")
    with (tmp_path / "map" / "patches.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    answer = served["malignant_probability"].numpy()[0]
    assert float(row["malignant_probability"]) == pytest.approx(answer, abs=0.01)
    assert read_json(tmp_path / "map" / "summary.json")["is_normalized"] is True
    # The pictures themselves, normalized as data_prep did.
    out = tmp_path / "predicted"
    run_predict(PredictConfig(), images=paths, model=run_dir.export, out=out)
    with (out / "predictions.csv").open(newline="") as stream:
        found = {row["image_id"]: row for row in csv.DictReader(stream)}
    raw = [float(found[path.name]["raw_malignant_probability"]) for path in paths]
    np.testing.assert_allclose(raw, wanted, atol=1e-5)


def test_card_provenance_metadata_and_model_card_say_so(
    lab: Path, finished: tuple[RunDir, ExportedModel]
) -> None:
    run_dir, model = finished
    assert "stain normalized by macenko" in card_of(lab / "set")
    (made,) = read_json(run_dir.provenance)["treatments"].values()
    assert (made["normalization"], made["mpp"], made["patch_size"]) == (
        "macenko",
        0.5,
        SIDE,
    )
    assert model.normalization == model.metadata["normalization"] == "macenko"
    trained_on = model.metadata["records"]["target"]["treatment"]
    assert trained_on["normalization"] == "macenko"
    card = " ".join((model.folder / "model_card.md").read_text().split())
    assert "had their stain normalized (macenko)" in card
    assert "predict_array` and model.onnx do not" in card
    sums = (model.folder / "SHA256SUMS").read_text()
    assert "assets/metadata.json" in sums


def test_what_was_exported_before_normalization_was_recorded_is_told(
    lab: Path,
    finished: tuple[RunDir, ExportedModel],
    capsys: pytest.CaptureFixture[str],
) -> None:
    metadata = dict(finished[1].metadata)
    del metadata["normalization"]
    earlier = dataclasses.replace(finished[1], normalization=None, metadata=metadata)
    with open_picture(lab / "pictures" / "p0.png") as picture:
        assert fit_stain_of(picture, earlier) is None
    assert "Warning: the model was exported by an earlier" in capsys.readouterr().err
