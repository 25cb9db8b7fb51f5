"""Two seeds as one model: its answers, its files, and what may not be averaged."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gastric_keras.comparison.compare import compare
from gastric_keras.config.experiment import EvaluateConfig, ExperimentConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.data.pipeline import eval_dataset
from gastric_keras.ensemble import members, stage
from gastric_keras.ensemble.stage import run_ensemble
from gastric_keras.evaluation.evaluate import run_evaluate
from gastric_keras.run import main
from gastric_keras.runs.predictions import Predictions, read_predictions, select
from gastric_keras.runs.provenance import open_run
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.serving.exported_model import load_exported
from gastric_keras.statistics.calibration import fit_temperature
from gastric_keras.statistics.thresholds import best_threshold
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from gastric_keras.training.ladder import run_target
from tests.helpers.small_experiments import write_experiment

# No test here looks at them.
pytestmark = pytest.mark.usefixtures("without_pictures")


def train(config: ExperimentConfig) -> Path:
    """A linear probe, scored: seconds."""
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    open_run(config, run_dir)
    run_target(config, run_dir)
    run_evaluate(config, run_dir)
    return run_dir.root


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds of random AlexNets with a fitted head."""
    config = write_experiment(
        tmp_path_factory.mktemp("lab"),
        "s0",
        target={"train": 8, "validation": 8, "test": 8},
        fit=FitConfig(epochs=0, batch_size=8, head="probe"),
        evaluate=EvaluateConfig(bootstrap=100),
    )
    return [train(config), train(replace(config, name="s1", seed=1))]


@pytest.fixture(scope="module")
def out(runs: list[Path]) -> Path:
    """The ensemble of the two seeds, by the command line."""
    folder = runs[0].parent / "both"
    names = [str(run) for run in runs]
    assert main(["--stage", "ensemble", "--runs", *names, "--out", str(folder)]) == 0
    return folder


def test_the_mean_is_scored_as_one_classifier(runs: list[Path], out: Path) -> None:
    for split in ("validation", "test"):
        one, two = (read_predictions(RunDir(r).predictions(split)) for r in runs)
        mean = read_predictions(RunDir(out).predictions(split))
        by_key = dict(zip(one.image_id, (one.probability + two.probability) / 2))
        expected = np.stack([by_key[name] for name in mean.image_id])
        np.testing.assert_allclose(mean.probability, expected, atol=1e-6)
    validation = read_predictions(RunDir(out).predictions("validation"))
    report = read_json(RunDir(out).report_json)
    assert report["threshold"] == pytest.approx(
        best_threshold(validation.label == 1, validation.probability[:, 1])
    )
    assert report["temperature"] == pytest.approx(
        fit_temperature(validation.label, validation.probability), rel=1e-3
    )
    assert report["name"] == "both" and report["labels_per_class"] == 8


def test_the_export_answers_as_the_members_do(runs: list[Path], out: Path) -> None:
    model = load_exported(out / "export")
    config = config_io.load(ExperimentConfig, runs[0] / "config.yaml")
    batch = next(
        iter(eval_dataset(config.target.records, image_size=64, batch_size=16))
    )
    found = tf.saved_model.load(str(model.folder)).signatures["predict_array"](
        patch=batch["image"]
    )
    each = []
    for run in runs:
        held = read_predictions(RunDir(run).predictions("test"))
        by_name = dict(zip(held.image_id, held.probability[:, 1]))
        each.append([by_name[name.decode()] for name in batch["image_id"].numpy()])
    np.testing.assert_allclose(
        found["raw_probabilities"][:, 1], np.mean(each, axis=0), atol=1e-5
    )
    np.testing.assert_allclose(found["spread"], np.std(each, axis=0, ddof=1), atol=1e-5)
    # The same calls as in the report, by the reader that heatmaps use.
    answer = model.predict(batch["image"])
    report = read_json(RunDir(out).report_json)
    called = np.mean(each, axis=0) >= report["threshold"]
    assert (answer.label == "malignant").tolist() == called.tolist()
    features = tf.saved_model.load(str(model.folder)).signatures["features"]
    assert features.structured_outputs["features"].shape[1] == 2 * 256


def test_the_metadata_name_the_members(runs: list[Path], out: Path) -> None:
    metadata = read_json(out / "export" / "1" / "assets" / "metadata.json")
    assert [member["name"] for member in metadata["members"]] == ["s0", "s1"]
    for member, run in zip(metadata["members"], runs, strict=True):
        assert (
            member["weights_sha256"]
            == read_json(run / "target" / "done.json")["weights_sha256"]
        )
    card = (out / "export" / "1" / "model_card.md").read_text()
    assert "the mean of 2 runs of equal settings" in card
    assert "- s1: seed 1, checkpoint SHA-256 `" in card and "and `spread`, the" in card


def test_referral_and_spread_are_written(runs: list[Path], out: Path) -> None:
    found = read_json(out / "ensemble.json")
    assert list(found["referral"]) == ["entropy", "spread"]
    assert found["referral"]["entropy"]["accuracy"][0] == pytest.approx(
        found["scores"]["test"]["patch"]["at_threshold"]["scores"]["accuracy"]["value"]
    )
    assert [gain["member"] for gain in found["gains"]] == ["s0", "s1"]
    with open(out / "spread_test.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 16
    for row in rows:
        pair = [float(row["p_s0"]), float(row["p_s1"])]
        assert float(row["mean"]) == pytest.approx(np.mean(pair))
        assert float(row["spread"]) == pytest.approx(np.std(pair, ddof=1))
    text = (out / "ensemble.md").read_text()
    assert "# Ensemble of 2 runs" in text and "| share referred |" in text
    with Image.open(out / "referral.png") as picture:
        assert picture.width > 400


def test_what_is_finished_stands_and_force_makes_a_new_version(
    runs: list[Path],
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_ensemble(runs, out)
    assert "ensemble: finished, the model is in " in capsys.readouterr().out
    # The networks were averaged above; here the number of the version counts.
    made = []
    monkeypatch.setattr(stage, "build_ensemble", lambda runs: None)

    def write_version(model: None, export: Path, *, metadata: Any, scores: Any) -> Path:
        made.append(metadata.version)
        return export / str(metadata.version)

    monkeypatch.setattr(stage, "write_version", write_version)
    copy = out.parent / "copy"
    shutil.copytree(out, copy)
    run_ensemble(runs, copy, force=True)
    assert made == [2] and read_json(RunDir(copy).done("export"))["version"] == 2


def refused(folders: list[Path], out: Path) -> str:
    with pytest.raises(InputError) as error:
        run_ensemble(folders, out)
    return str(error.value)


def test_other_settings_are_refused(runs: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "s1"
    shutil.copytree(runs[1], other)
    path = RunDir(other).config
    config = config_io.load(ExperimentConfig, path)
    fit = replace(config.target.fit, probe_strength=1.0)
    config_io.save(replace(config, target=replace(config.target, fit=fit)), path)
    message = refused([runs[0], other], tmp_path / "out")
    assert "must have equal settings but for their seeds, got " in message
    assert "which differ in target.fit. Average runs of one setting only." in message
    assert "An ensemble must have two runs or more, got " in (
        refused(runs[:1], tmp_path / "out")
    )
    assert "--out must not be the folder of a run, got " in refused(runs, runs[0])


def test_other_validation_patches_and_nan_are_refused(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_split = members.read_split

    def fewer(run_dir: RunDir, split: str, scores: RunScores) -> Predictions:
        found = read_split(run_dir, split, scores)
        is_cut = run_dir.root == runs[1] and split == "validation"
        return select(found, "-[1-9]") if is_cut else found

    monkeypatch.setattr(members, "read_split", fewer)
    message = refused(runs, tmp_path / "out")
    assert "must have the same validation patches, got " in message
    assert f"{runs[0]} with 16 and {runs[1]} with 15, 1 of them in one only." in message

    def nan(run_dir: RunDir, split: str, scores: RunScores) -> Predictions:
        found = read_split(run_dir, split, scores)
        return replace(found, probability=found.probability * np.nan)

    monkeypatch.setattr(members, "read_split", nan)
    message = refused(runs, tmp_path / "out")
    assert "Probabilities of split validation must be numbers in every run, got " in (
        message
    )


def test_an_ensemble_is_no_run_of_a_comparison(out: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without config.yaml"):
        compare([out], tmp_path)
