"""Both training stages, killed and started again, end with the same bits."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.support import config_io
from tests.helpers.small_experiments import SMALL_ALEXNET, write_experiment
from tests.helpers.warm_process import WarmProcess
from tests.kills.loop import kill
from tests.kills.training import Training


class _WarmTraining(Training):
    """Each command in a process that need not import TensorFlow again."""

    def start(self, command: list[str], said: Path) -> WarmProcess:
        _, _, module, *words = command
        return WarmProcess(module, words, said=said)


def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    options = Namespace(
        config=str(tmp_path / "config.yaml"), set=[], stages=["mid", "target"]
    )
    # Of this seed the first two kills wait for an epoch in the middle; a moment of the
    # start may lie behind the end, on a machine that was slower just before.
    different = kill(_WarmTraining(options, tmp_path), kills=3, seed=22)
    said = capsys.readouterr().out
    assert different == 0, said
    assert re.search(r"3 kills, \d runs finished after them, 0 different", said)
    # Or it would have been nothing to come back to.
    found = map(int, re.findall(r"kill \d: \w+, (\d) epochs done", said))
    assert any(0 < epochs < 8 for epochs in found), said
