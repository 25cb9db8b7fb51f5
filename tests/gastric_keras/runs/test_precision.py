"""A run has one precision: the device's where it is open, and then for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from gastric_keras.config.experiment import (
    BackboneConfig,
    ExperimentConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.runs import precision
from gastric_keras.runs.precision import settle_precision
from gastric_keras.runs.provenance import open_run
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.devices import Device

_OLD = Device("an old processor", ("float32",))
_NEW = Device("a new processor", ("mixed_bfloat16", "float32"))


def _config(wanted: str) -> ExperimentConfig:
    return ExperimentConfig(
        name="run",
        backbone=BackboneConfig(name="alexnet"),
        mid=None,
        target=TargetConfig(records="records"),
        runtime=RuntimeConfig(precision=wanted),  # type: ignore[arg-type]
    )


def _settled(wanted: str, run_dir: RunDir, **options: bool) -> str:
    return settle_precision(_config(wanted), run_dir, **options).runtime.precision


def test_auto_takes_what_the_device_has_and_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = RunDir(tmp_path / "run")
    for device, wanted in ((_OLD, "float32"), (_NEW, "mixed_bfloat16")):
        monkeypatch.setattr(precision, "find_device", lambda *_, d=device: d)
        assert _settled("auto", run_dir) == wanted
        assert (
            f"precision: {wanted} (auto, on {device.name})" in capsys.readouterr().out
        )
    open_run(settle_precision(_config("auto"), run_dir), run_dir)
    # Begun in bfloat16: it stays so elsewhere, and says what that costs.
    monkeypatch.setattr(precision, "find_device", lambda *_: _OLD)
    assert _settled("auto", run_dir) == "mixed_bfloat16"
    assert "mixed_bfloat16 is emulated on an old processor" in capsys.readouterr().err


def test_an_emulated_precision_is_told_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = RunDir(tmp_path / "run")
    monkeypatch.setattr(precision, "find_device", lambda *_: _OLD)
    for wanted in ("mixed_bfloat16", "mixed_float16"):
        assert _settled(wanted, run_dir) == wanted
        assert capsys.readouterr().err.startswith(
            f"Warning: runtime.precision {wanted} is emulated on an old processor"
        )
        assert _settled(wanted, run_dir, tells=False) == wanted
        assert not capsys.readouterr().err
    monkeypatch.setattr(precision, "find_device", lambda *_: _NEW)
    assert _settled("mixed_bfloat16", run_dir) == "mixed_bfloat16"
    assert _settled("float32", run_dir) == "float32"
    assert not capsys.readouterr().err
