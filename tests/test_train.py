"""The validation scores against figures worked by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gastric_keras.run_dir import RunDir
from gastric_keras.train import initial_epoch, read_history, validation_scores


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
    assert read_history(tmp_path / "history.csv") == []


def test_a_backup_that_was_cut_short_starts_the_stage_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = RunDir(tmp_path)
    assert initial_epoch(run_dir, "mid") == 0
    run_dir.backup("mid").mkdir(parents=True)
    metadata = run_dir.backup("mid") / "training_metadata.json"
    metadata.write_text('{"epoch": 3, "batch": 0}')
    assert initial_epoch(run_dir, "mid") == 3
    metadata.write_text('{"epo')
    assert initial_epoch(run_dir, "mid") == 0
    assert not run_dir.backup("mid").exists()
    assert "mid: the backup is damaged" in capsys.readouterr().out
