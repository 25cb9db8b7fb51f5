"""The stage on tiny sets: what is found, what is skipped, what is refused."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from gastric_keras.config.baselines import METHODS
from gastric_keras.config.experiment import (
    BackboneConfig,
    EvaluateConfig,
    ExperimentConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.evaluation.baselines import feature_table
from gastric_keras.evaluation.baselines.feature_table import (
    load_features,
    measure_split,
)
from gastric_keras.evaluation.baselines.stage import run_baselines
from gastric_keras.records.schema import read_records, record_key
from gastric_keras.records.subsets import subset_keys
from gastric_keras.runs.baselines import read_baselines
from gastric_keras.runs.predictions import read_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from tests.helpers.small_sets import Draw, write_small_set

CLASSES = ("benign", "malignant")
SIZE = 24


def draw_texture(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """The same colors in every patch: as noise (0) or as soft spots (1)."""
    field = rng.normal(size=(size, size))
    if label:
        field = ndimage.gaussian_filter(field, 2, mode="wrap")
    rank = field.ravel().argsort().argsort().reshape(size, size)
    ramp = (40 + 180 * rank // rank.size).astype(np.uint8)
    return np.stack([ramp, ramp // 2, 255 - ramp], axis=2)


def draw_tint(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """The same kind of noise in every patch, in gray, or greener at equal gray."""
    gray = rng.integers(60, 190, (size, size, 1)) * np.ones(3, int)
    return (gray + label * np.array([0, 10, -51])).astype(np.uint8)


def config_of(folder: Path, **target: Any) -> ExperimentConfig:
    return ExperimentConfig(
        "run",
        BackboneConfig("alexnet", "none", 63),
        TargetConfig(str(folder / "records"), CLASSES, **target),
        evaluate=EvaluateConfig(bootstrap=100, subgroups={"some": "[0-4]$"}),
        runtime=RuntimeConfig(output=str(folder / "runs")),
    )


def make(folder: Path, draw: Draw, n: int = 12) -> ExperimentConfig:
    write_small_set(
        folder / "records",
        "target",
        CLASSES,
        per_class={"train": n, "validation": 10, "test": 12},
        size=SIZE,
        subsets={"small": 6},
        draw=draw,
    )
    return config_of(folder)


def place_of(config: ExperimentConfig) -> RunDir:
    return RunDir(Path(config.runtime.output) / config.name)


@pytest.fixture(scope="module")
def texture_run(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    """A finished run on classes that differ in texture alone."""
    config = make(tmp_path_factory.mktemp("texture"), draw_texture)
    run_baselines(config, place_of(config))
    return config


def test_texture_is_found_by_texture_and_not_by_color(
    texture_run: ExperimentConfig,
) -> None:
    found = {b.name: b for b in read_baselines(place_of(texture_run).root)}
    assert list(found) == [method.name for method in METHODS]
    for name, baseline in found.items():
        auc = baseline.scores.test.patch.scores["auc"].value
        # Every patch holds the same colors: nothing to tell them apart by.
        assert auc == 0.5 if name == "color_logistic" else auc > 0.95, name


def test_color_is_found_by_color_and_not_by_texture(tmp_path: Path) -> None:
    config = make(tmp_path, draw_tint)
    run_baselines(config, place_of(config))
    for baseline in read_baselines(place_of(config).root):
        auc = baseline.scores.test.patch.scores["auc"].value
        if baseline.name == "color_logistic":
            assert auc == 1.0
        else:
            # Chance, within three deviations of the AUC of 12 against 12 patches.
            assert abs(auc - 0.5) < 0.36, baseline.name


def test_a_method_leaves_what_a_finished_run_leaves(
    texture_run: ExperimentConfig,
) -> None:
    run_dir = place_of(texture_run)
    baseline = next(b for b in read_baselines(run_dir.root) if b.name == "glcm_lda")
    place = run_dir.baseline("glcm_lda")
    report = read_json(place.report_json)
    assert report == json.loads(json.dumps(dataclasses.asdict(baseline.scores)))
    assert report["backbone"] == "glcm_lda" and report["mid"] is None
    assert report["parameters"] == baseline.parameters and report["train"] == [12, 12]
    assert set(report["subgroups"]) == {"some"}
    records = list(read_records(texture_run.target.records, "test"))
    test = read_predictions(place.predictions("test"))
    np.testing.assert_allclose(test.probability.sum(axis=1), 1, atol=1e-6)
    assert test.image_id.tolist() == [record.image_id for record in records]
    rows = sorted((r.case_id, r.image_id, r.x, r.y, r.label) for r in records)
    assert list(baseline.rows) == rows
    assert baseline.label.tolist() == [row[-1] for row in rows]
    by_image = dict(zip(test.image_id, test.probability[:, 1], strict=True))
    assert baseline.score.tolist() == [by_image[row[1]] for row in rows]
    threshold = report["test"]["patch"]["at_threshold"]["threshold"]
    assert threshold == report["threshold"]


def test_the_table_is_what_the_reports_say(texture_run: ExperimentConfig) -> None:
    run_dir = place_of(texture_run)
    with open(run_dir.baselines / "baselines.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["patches"], row["method"]) for row in rows] == [
        (part, method.name) for part in ("all", "some") for method in METHODS
    ]
    report = read_json(run_dir.baseline("lbp_svm").report_json)
    unit = report["subgroups"]["some"]["test"]["patch"]
    row = next(r for r in rows[len(METHODS) :] if r["method"] == "lbp_svm")
    assert float(row["AUC"]) == unit["scores"]["auc"]["value"]
    for name, key in {
        "ACC": "accuracy",
        "precision": "precision",
        "recall": "sensitivity",
    }.items():
        score = unit["at_threshold"]["scores"][key]
        assert float(row[name]) == score["value"]
        assert float(row[f"{name} low"]) == score["low"]
    text = (run_dir.baselines / "baselines.md").read_text()
    assert "| some    | LBP + SVM" in text and "AUC (interval)" in text


def stamps(run_dir: RunDir) -> dict[str, int]:
    return {
        method.name: run_dir.baseline(method.name).report_json.stat().st_mtime_ns
        for method in METHODS
    }


def test_what_is_finished_stands(
    texture_run: ExperimentConfig,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, run_dir = texture_run, place_of(texture_run)
    # The features are there: nothing is measured again, whatever is asked for.
    monkeypatch.setattr(feature_table, "measure_split", None)
    before = stamps(run_dir)
    run_baselines(config, run_dir)
    assert stamps(run_dir) == before
    assert capsys.readouterr().out.count(": finished, kept in ") == len(METHODS)
    # Cut short before its last file: that one alone is done again, to the same bytes.
    place = run_dir.baseline("lbp_svm")
    held = place.predictions("test").read_bytes(), place.report_json.read_bytes()
    place.done.unlink()
    place.predictions("test").write_text("half")
    run_baselines(config, run_dir)
    after = stamps(run_dir)
    assert [name for name in after if after[name] != before[name]] == ["lbp_svm"]
    assert held == (
        place.predictions("test").read_bytes(),
        place.report_json.read_bytes(),
    )
    assert "baselines: LBP + SVM: validation AUC 1.000 with " in capsys.readouterr().out
    run_baselines(config, run_dir, force=True)
    again = stamps(run_dir)
    assert all(again[name] != after[name] for name in again)
    # Other labels, another result.
    target = dataclasses.replace(config.target, subset="small", subset_seed=1)
    run_baselines(dataclasses.replace(config, target=target), run_dir)
    report = read_json(run_dir.baseline("glcm_knn").report_json)
    assert report["train"] == [6, 6] and report["subset_seed"] == 1
    run_baselines(config, run_dir)
    assert read_json(place.report_json) == json.loads(held[1])


def test_a_subset_is_that_of_the_networks(texture_run: ExperimentConfig) -> None:
    folder = texture_run.target.records
    store = Path(texture_run.runtime.output) / "features"
    keys = subset_keys(folder, "train", "small", seed=3)
    table = load_features(folder, "train", store=store).only(keys)
    found = [record_key(*k) for k in zip(table.image_id, table.x, table.y, strict=True)]
    assert sorted(found) == keys
    assert all(len(rows) == 12 for rows in table.features.values())


def test_several_processes_measure_what_one_does(
    texture_run: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = texture_run.target.records
    alone = measure_split(folder, "test")
    monkeypatch.setattr(feature_table, "CHUNK", 2)
    many = measure_split(folder, "test")
    assert alone.image_id.tolist() == many.image_id.tolist()
    for name, rows in alone.features.items():
        np.testing.assert_array_equal(rows, many.features[name])


def test_a_damaged_table_is_named(
    texture_run: ExperimentConfig, tmp_path: Path
) -> None:
    folder = texture_run.target.records
    load_features(folder, "validation", store=tmp_path)
    (path,) = tmp_path.glob("*/validation.npz")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError) as error:
        load_features(folder, "validation", store=tmp_path)
    assert f"The file must be a table of features, got {path} (" in str(error.value)
    assert "Delete it; it is then computed again." in str(error.value)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_baselines(tmp_path)
    assert "The run must have finished baselines, got " in str(error.value)
    assert f"{tmp_path} without any. Run --stage baselines first." in str(error.value)


@pytest.mark.parametrize("content", ["[]", '{"positive": "malignant"}', '{"positi'])
def test_damaged_scores_are_named(tmp_path: Path, content: str) -> None:
    place = RunDir(tmp_path).baseline(METHODS[0].name)
    place.root.mkdir(parents=True)
    place.done.write_text("{}")
    place.report_json.write_text(content)
    with pytest.raises(InputError) as error:
        read_baselines(tmp_path)
    assert str(place.report_json) in str(error.value)


def test_one_patch_a_class_is_too_few(texture_run: ExperimentConfig) -> None:
    target = dataclasses.replace(texture_run.target, subset=1)
    config = dataclasses.replace(texture_run, name="one", target=target)
    with pytest.raises(InputError) as error:
        run_baselines(config, place_of(config))
    message = str(error.value)
    assert message.startswith("Each class must have at least two training patches")
    assert "got {'benign': 1, 'malignant': 1}. Use a larger" in message


def test_a_patch_too_small_to_measure_is_named(tmp_path: Path) -> None:
    write_small_set(
        tmp_path / "records",
        "target",
        CLASSES,
        per_class={"train": 2, "validation": 2},
        size=16,
    )
    config = config_of(tmp_path)
    with pytest.raises(InputError) as error:
        run_baselines(config, place_of(config))
    message = str(error.value)
    assert "Patches must be at least 17 px wide and high, got train-0@" in message
    assert "with shape=(16, 16). Make the set again" in message


def test_other_classes_are_refused(texture_run: ExperimentConfig) -> None:
    target = dataclasses.replace(
        texture_run.target, classes=("benign", "bad"), positive="bad"
    )
    with pytest.raises(InputError, match="target.classes must be the classes of "):
        run_baselines(
            dataclasses.replace(texture_run, target=target), place_of(texture_run)
        )
