"""The folds of a cross-validation as one model, which has no test of its own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from data_prep.sets.folds import write_folds
from gastric_keras.config.experiment import EvaluateConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.data.pipeline import eval_dataset
from gastric_keras.ensemble.stage import run_ensemble
from gastric_keras.run import main
from gastric_keras.runs.predictions import read_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.serving.exported_model import load_exported
from gastric_keras.statistics.thresholds import best_threshold
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from tests.gastric_keras.ensemble.test_stage import train
from tests.helpers.fake_classes import make_class_run
from tests.helpers.small_experiments import write_experiment

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three folds of random AlexNets with a fitted head."""
    config = write_experiment(
        tmp_path_factory.mktemp("lab"),
        "whole",
        target={"train": 8, "validation": 4, "test": 4},
        fit=FitConfig(epochs=0, batch_size=4, head="probe"),
        evaluate=EvaluateConfig(bootstrap=100),
    )
    source = Path(config.target.records)
    folds = write_folds(source, source.with_name("folds"), folds=3)
    return [
        train(
            replace(
                config,
                name=f"fold{number}",
                target=replace(config.target, records=str(folder)),
            )
        )
        for number, folder in enumerate(folds, start=1)
    ]


@pytest.fixture(scope="module")
def out(runs: list[Path]) -> Path:
    folder = runs[0].parent / "mean"
    names = [str(run) for run in runs]
    assert main(["--stage", "ensemble", "--runs", *names, "--out", str(folder)]) == 0
    return folder


def test_the_export_is_the_mean_of_all_folds(runs: list[Path], out: Path) -> None:
    model = load_exported(out / "export")
    folder = runs[0].parent.parent / "folds" / "fold-1"
    batch = next(iter(eval_dataset(folder, image_size=64, batch_size=16, split="test")))
    found = tf.saved_model.load(str(model.folder)).signatures["predict_array"](
        patch=batch["image"]
    )
    # Fold 1 tests these patches: of the other two nobody stored an answer.
    held = read_predictions(RunDir(runs[0]).predictions("test"))
    own = dict(zip(held.image_id, held.probability[:, 1]))
    mine = np.array([own[name.decode()] for name in batch["image_id"].numpy()])
    mean, spread = found["raw_probabilities"][:, 1].numpy(), found["spread"].numpy()
    # Of three numbers the deviation of one from the mean is at most 2/√3 deviations.
    assert (np.abs(mine - mean) <= spread * 2 / 3**0.5 + 1e-5).all()
    assert spread.max() > 0


def test_threshold_and_case_rule_come_from_out_of_fold_answers(
    runs: list[Path], out: Path
) -> None:
    tests = [read_predictions(RunDir(run).predictions("test")) for run in runs]
    label = np.concatenate([each.label for each in tests]) == 1
    score = np.concatenate([each.probability[:, 1] for each in tests])
    found = read_json(out / "ensemble.json")
    assert found["threshold"] == pytest.approx(best_threshold(label, score))
    metadata = read_json(out / "export" / "1" / "assets" / "metadata.json")
    assert metadata["raw_threshold"] == pytest.approx(found["threshold"])
    assert metadata["temperature"] == pytest.approx(found["temperature"])
    assert metadata["case_calls"]["validation_cases"] == 16
    assert [each["fold"] for each in metadata["members"]] == [1, 2, 3]


def test_it_says_that_it_has_no_internal_test(out: Path) -> None:
    text = (out / "ensemble.md").read_text()
    card = (out / "export" / "1" / "model_card.md").read_text()
    assert "**It has no internal test:** every case was trained on by some" in text
    assert "Scores of single members, each called by its own threshold" in text
    assert "## No internal test; scores out of fold" in card
    assert "## Scores on the test split" not in card
    assert "16 cases, out of fold" in card and "fold 3 (`" in card
    assert not RunDir(out).report_json.exists()
    assert not (out / "referral.png").exists()


def refused(folders: list[Path], out: Path) -> str:
    with pytest.raises(InputError) as error:
        run_ensemble(folders, out)
    assert not (out / "ensemble.json").exists()
    return str(error.value)


def test_what_is_no_cross_validation_is_refused(
    runs: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert "without fold 3. Name the runs of all folds" in refused(runs[:2], out)
    twin = tmp_path / "twin"
    shutil.copytree(runs[0], twin)
    shutil.copy(RunDir(runs[1]).weights("target"), RunDir(twin).weights("target"))
    done = RunDir(twin).done("target")
    shutil.copy(RunDir(runs[1]).done("target"), done)
    message = refused([twin, *runs[1:]], out)
    assert "must be different networks, got " in message
    RunDir(twin).weights("target").unlink()
    assert "must have its weights, got missing=" in refused([twin, *runs[1:]], out)
    make_class_run(tmp_path, "four", fold=(1, 3))
    four = [tmp_path / "runs" / "four"] * 3
    assert "This command must get runs of two classes" in refused(four, out)
