"""Both training stages, killed and started again, end with the same bits."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.support import config_io
from tests.helpers.paths import REPOSITORY
from tests.helpers.small_experiments import SMALL_ALEXNET, write_experiment


def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(tmp_path: Path) -> None:
    # Rates at which a wrong order, view, mask of dropout or moment would show.
    mid = FitConfig(epochs=8, batch_size=4, learning_rate=1e-3, patience=7)
    target = FitConfig(
        epochs=8, batch_size=4, learning_rate=1e-3, schedule="plateau", ema=0.9
    )
    views = AugmentConfig(zoom=0.2, color=0.1)
    config = write_experiment(
        tmp_path,
        "any",
        mid={"train": 7, "validation": 3},
        mid_fit=mid,
        target={"train": 9, "validation": 5, "test": 5},
        fit=target,
        backbone=replace(SMALL_ALEXNET, dropout=0.5),
    )
    assert config.mid is not None
    config = replace(
        config,
        mid=replace(config.mid, augment=views),
        target=replace(config.target, augment=views),
    )
    config_io.save(config, tmp_path / "config.yaml")
    command = [
        sys.executable,
        "-m",
        "tests.kills.training",
        "--kills",
        "3",
        "--seed",
        "1",
    ]
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "config.yaml")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert re.search(r"3 kills, \d runs finished after them, 0 different", done.stdout)
    # Or it would have been nothing to come back to.
    found = map(int, re.findall(r"kill \d: \w+, (\d) epochs done", done.stdout))
    assert any(0 < epochs < 8 for epochs in found), done.stdout
