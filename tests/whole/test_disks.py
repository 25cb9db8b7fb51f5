"""Disks that are full, read-only or damaged: nothing is lost, and it is said."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_prep.__main__ import main
from gastric_keras import run
from gastric_keras.config.experiment import (
    EvaluateConfig,
    ExperimentConfig,
    RuntimeConfig,
)
from gastric_keras.config.fit import FitConfig
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from gastric_keras.training import ladder as stages
from gastric_keras.training.snapshots import Snapshots
from gastric_keras.training.start import load_stage
from tests.helpers.small_experiments import write_experiment
from tests.helpers.small_pictures import write_target_folder


@contextmanager
def _room_for(number: int) -> Iterator[None]:
    """No file of more than so many bytes: what a full disk is to a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("room", [0, 2_000, 20_000])
def test_a_set_on_a_full_disk_is_said_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], room: int
) -> None:
    pictures = write_target_folder(tmp_path / "in")
    command = ["target", "--images", str(pictures), "--cases"]
    command += [str(pictures / "index.csv"), "--workers", "1", "--set", "patch_size=0"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    with _room_for(room):
        assert main([*command, "--out", str(tmp_path / "full")]) == 2
    error = capsys.readouterr().err
    assert "error: The folder must be writable and its disk have room, got" in error
    assert not (tmp_path / "full").exists()
    assert main([*command, "--out", str(tmp_path / "full")]) == 0
    assert _bytes(tmp_path / "full") == _bytes(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = write_target_folder(tmp_path / "in")
    command = ["target", "--images", str(pictures), "--cases"]
    # Nobody writes there, not even root.
    command += [str(pictures / "index.csv"), "--out", "/sys/set"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "error: The folder for a set in the making must be writable" in error


@pytest.fixture()
def config(tmp_path: Path) -> ExperimentConfig:
    return write_experiment(
        tmp_path,
        "run",
        target={"train": 6, "validation": 3, "test": 3},
        fit=FitConfig(epochs=3, batch_size=6),
        evaluate=EvaluateConfig(bootstrap=100),
        runtime=RuntimeConfig(output=str(tmp_path / "runs"), deterministic=True),
    )


def _weights(path: Path) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    with h5py.File(path) as stream:
        stream.visititems(
            lambda _, item: (
                found.append(item[()]) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def test_a_damaged_snapshot_and_damaged_weights_in_a_stage(
    config: ExperimentConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = RunDir(Path(config.runtime.output) / "whole")
    stages.run_target(config, whole)
    broken = RunDir(Path(config.runtime.output) / "run")
    saved = Snapshots.on_epoch_end

    def stop(self: Snapshots, epoch: int, logs: dict | None = None) -> None:
        saved(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            stages.run_target(config, broken)
    snapshot = broken.snapshots("target") / "epoch-00002.weights.h5"
    snapshot.write_bytes(snapshot.read_bytes()[:-1000])
    stages.run_target(config, broken)
    said = capsys.readouterr().out
    assert "target: the snapshot of epoch 2 in" in said and "trying the one" in said
    assert "target: resuming after epoch 1" in said
    pairs = zip(
        _weights(whole.weights("target")),
        _weights(broken.weights("target")),
        strict=True,
    )
    assert all(np.array_equal(mine, theirs) for mine, theirs in pairs)

    path = broken.weights("target")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    wanted = read_json(broken.done("target"))["weights_sha256"]
    with pytest.raises(InputError) as error:
        load_stage(config, broken, "target")
    message = f"The weights must have the sha256 {wanted} that their stage wrote, got"
    assert message in str(error.value)
    assert f", got {path}, which was changed since." in str(error.value)


def test_a_stage_on_a_full_disk_is_said(
    config: ExperimentConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_io.save(config, tmp_path / "config.yaml")
    command = ["--stage", "target", "--config", str(tmp_path / "config.yaml")]
    with _room_for(100):
        assert run.main(command) == 2
    assert "error: The folder must be writable and its disk" in capsys.readouterr().err
    nowhere = replace(config, runtime=replace(config.runtime, output="/sys/runs"))
    config_io.save(nowhere, tmp_path / "config.yaml")
    assert run.main(command) == 2
    assert "error: The run folder must be writable, got" in capsys.readouterr().err


def test_weights_are_not_begun_where_they_do_not_fit(
    config: ExperimentConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HDF5 on a full disk ends the process with a segmentation fault."""
    config_io.save(config, tmp_path / "config.yaml")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3_000_000))
    command = ["--stage", "target", "--config", str(tmp_path / "config.yaml")]
    assert run.main([*command, "--set", "name=full", "--force"]) == 2
    error = capsys.readouterr().err
    assert "have room, got path=" in error and "No space left on device" in error
    assert not list(tmp_path.rglob("partial.weights.h5"))
