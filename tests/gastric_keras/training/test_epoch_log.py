"""The validation scores against figures worked by hand, and when a fit ends."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.fit import FitConfig
from gastric_keras.data.stage_data import TrainingData
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.training.epoch_log import EpochLog, read_epochs
from gastric_keras.training.plan import FitPlan
from gastric_keras.training.tasks import validation_scores
from tests.helpers.paths import REPOSITORY


def test_two_classes_by_hand() -> None:
    label = np.array([0, 1, 0, 1])
    positive = np.array([0.2, 0.6, 0.7, 0.9], np.float32)
    scores = validation_scores(label, np.stack([1 - positive, positive], 1))
    # Of the four pairs, one (0.7 above 0.6) is in the wrong order.
    assert scores["val_auc"] == pytest.approx(3 / 4)
    assert scores["val_accuracy"] == pytest.approx(3 / 4)
    wanted = -(math.log(0.8) + math.log(0.6) + math.log(0.3) + math.log(0.9)) / 4
    assert scores["val_loss"] == pytest.approx(wanted, abs=1e-6)


def test_three_classes_are_averaged_one_against_the_rest() -> None:
    probability = np.array([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.5, 0.2, 0.3]])
    scores = validation_scores(np.array([0, 1, 2]), probability)
    # Class 0: 2 of 2 pairs; class 1: 2 of 2; class 2: one win and one tie.
    assert scores["val_auc"] == pytest.approx((1 + 1 + 0.75) / 3)


def test_no_history_is_no_rows(tmp_path: Path) -> None:
    assert read_epochs(tmp_path / "history.csv") == []


def _finished(tmp_path: Path, auc: list[float], **options: object) -> bool:
    none = tf.data.Dataset.range(0)
    plan = FitPlan(
        stage="mid",
        run_dir=RunDir(tmp_path),
        config=FitConfig(epochs=9, **options),  # type: ignore[arg-type]
        model=keras.Sequential(),
        scored=keras.Sequential(),
        data=TrainingData(lambda start: none, lambda: none, lambda number: [], 1),
        validation=none,
    )
    log = EpochLog(plan)
    log.rows = [{"epoch": i, "val_auc": value} for i, value in enumerate(auc)]
    return log.is_finished


def test_a_fit_ends_by_epochs_patience_or_a_good_enough_score(tmp_path: Path) -> None:
    assert not _finished(tmp_path, [], stop_at=0.9, patience=1)
    assert not _finished(tmp_path, [0.8] * 8)
    assert _finished(tmp_path, [0.8] * 9)
    assert not _finished(tmp_path, [0.7, 0.8, 0.8], patience=2)
    assert _finished(tmp_path, [0.7, 0.8, 0.8, 0.8], patience=2)
    assert not _finished(tmp_path, [0.7, 0.89], stop_at=0.9)
    assert _finished(tmp_path, [0.7, 0.9], stop_at=0.9)


def test_a_batch_that_does_not_fit_says_which_size_to_try(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.little_memory", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert "REFUSED A batch of stage mid must fit in memory" in done.stdout, done
    assert "batch_size=256 (OOM when allocating" in done.stdout
    assert "Try mid.fit.batch_size=128;" in done.stdout
