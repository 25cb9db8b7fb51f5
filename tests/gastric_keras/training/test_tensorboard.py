"""What TensorBoard is given of a fit: its rows, once each, on one axis; pictures."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.data.stage_data import training_data
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.training import ladder as stages
from gastric_keras.training import snapshots
from gastric_keras.training.epoch_log import read_epochs
from gastric_keras.training.tensorboard import (
    PATTERN,
    SCALARS,
    cut_back,
    is_pictured,
)
from gastric_keras.training.validation_pictures import build_curves
from tests.helpers.events import read_events, read_steps
from tests.helpers.small_experiments import TISSUE, write_experiment


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    root = tmp_path_factory.mktemp("watched")
    return write_experiment(
        root,
        "watched",
        mid={"train": 6, "validation": 3},
        mid_fit=FitConfig(3, batch_size=6),
        target={"train": 6, "validation": 4},
        fit=FitConfig(2, batch_size=6),
    )


@pytest.fixture(scope="module")
def resumed(config: ExperimentConfig) -> RunDir:
    """Both stages; t=1 was killed at its worst moment: the events of its second epoch
    are written, the last of them by half, the snapshot is not."""
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    honest = snapshots.Snapshots.on_epoch_end

    def die(self: snapshots.Snapshots, epoch: int, logs: dict | None = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt
        honest(self, epoch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots.Snapshots, "on_epoch_end", die)
        with pytest.raises(KeyboardInterrupt):
            stages.run_mid(config, run_dir)
    (file,) = (run_dir.stage("mid") / "train").glob(PATTERN)
    assert read_steps(file.parent)["scores/loss"] == [1, 2]
    with open(file, "ab") as stream:
        stream.write(file.read_bytes()[:40])
    stages.run_mid(config, run_dir)
    stages.run_target(config, run_dir)
    return run_dir


def test_every_row_of_the_history_is_there_once_on_one_axis(resumed: RunDir) -> None:
    for stage, before in (("mid", 0), ("target", 3)):
        rows = read_epochs(resumed.history(stage))
        assert len(rows) == (3 if stage == "mid" else 2)
        for column, (part, tag) in SCALARS.items():
            points = read_events(resumed.stage(stage) / part)[tag]
            wanted = [before + 1 + i for i in range(len(rows))]
            assert [step for step, _ in points] == wanted
            # To the bit of a float32.
            values = np.array([value for _, value in points])
            assert values.dtype == np.float32
            assert np.array_equal(values, np.float32([row[column] for row in rows]))


def test_pictures_of_validation_are_whole(resumed: RunDir) -> None:
    events = read_events(resumed.stage("mid") / "validation")
    for name in ("roc", "precision_recall", "confusion"):
        points = events[f"validation/{name}"]
        # The first, the second, and the third, which is the last.
        assert [step for step, _ in points] == [1, 2, 3]
        width, height, png = points[-1][1]
        with Image.open(io.BytesIO(png)) as image:
            assert image.size == (int(width), int(height))
    assert "validation/roc" in read_events(resumed.stage("target") / "validation")


def test_augmented_patches_and_config_are_shown(
    config: ExperimentConfig, resumed: RunDir
) -> None:
    events = read_events(resumed.stage("target") / "train")
    [(step, (_, _, png))] = events["training/augmented_malignant"]
    assert step == 4
    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image)
    # Patches of 64 px with 4 px between them, four a row.
    assert pixels.shape[1] == 4 * 64 + 3 * 4
    data = training_data(config.target, seed=0, image_size=64)
    images, labels = (part.numpy() for part in next(iter(data.batches(0))))
    assert np.array_equal(pixels[:64, :64], images[labels == 1][0])
    [(_, text)] = events["config"]
    assert str(text.item().decode()).strip("`\n") == config_io.dump(config).strip()


def test_force_starts_fresh(config: ExperimentConfig, resumed: RunDir) -> None:
    stages.run_target(config, resumed, force=True)
    steps = read_steps(resumed.stage("target") / "validation")
    assert steps["scores/auc"] == [4, 5]


def test_a_t1_of_another_lab_without_history_takes_no_room_on_the_axis(
    config: ExperimentConfig, resumed: RunDir, tmp_path: Path
) -> None:
    weights = tmp_path / "sent.weights.h5"
    weights.write_bytes(resumed.weights("mid").read_bytes())
    for init, before in ((weights, 0), (resumed.weights("mid"), 3)):
        other = replace(config, mid=replace(config.mid, init=str(init)))
        caption = stages._caption(other, other.target, resumed, "target")
        assert caption.epochs_before == before


def test_nothing_is_left_of_a_fit_that_begins_anew(
    resumed: RunDir, tmp_path: Path
) -> None:
    file = next((resumed.stage("mid") / "train").glob(PATTERN))
    copy = tmp_path / file.name
    copy.write_bytes(file.read_bytes())
    cut_back(tmp_path, 0)
    assert not copy.exists()
    cut_back(tmp_path / "missing", 0)


def test_epochs_with_pictures() -> None:
    assert [epoch + 1 for epoch in range(20) if is_pictured(epoch)] == [1, 2, 4, 8, 16]


def test_curves_are_of_each_class_against_the_rest() -> None:
    label = np.array([0, 1, 2, 0])
    probability = np.array(
        [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.4, 0.5], [0.5, 0.5, 0.0]]
    )
    curves = build_curves(label, probability, TISSUE, TISSUE, roc_auc_score)
    assert [curve.name for curve in curves] == list(TISSUE)
    assert [curve.area[0] for curve in curves] == [1, 1, 1]
    # Of the positive class alone, here the first: two of its three pairs.
    label, score = np.array([0, 0, 1, 0]), np.array([0.9, 0.3, 0.5, 0.6])
    both = np.stack([score, 1 - score], 1)
    [curve] = build_curves(label, both, ("tumor", "normal"), ("tumor",), roc_auc_score)
    assert curve.name == "tumor" and curve.area[0] == pytest.approx(2 / 3)
    assert curve.label.tolist() == [1, 1, 0, 1]
