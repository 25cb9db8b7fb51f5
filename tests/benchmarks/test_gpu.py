"""The script for a GPU, rehearsed on the processor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks.speed import gpu
from tests.helpers.small_sets import write_small_set


def test_without_a_gpu_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    monkeypatch.setattr(sys, "argv", ["gpu", "nowhere"])
    assert gpu.main() == 1
    said = capsys.readouterr().out
    assert "must see a GPU, got none" in said and said.count("\n") == 1


def test_the_rehearsal_goes_through_every_measurement(tmp_path: Path) -> None:
    # Steps are measured in processes of their own, two each.
    write_small_set(
        tmp_path / "set", "target", ("benign", "malignant"), per_class={"train": 4}
    )
    command = [sys.executable, "-m", "benchmarks.speed.gpu", str(tmp_path / "set")]
    said = subprocess.run(
        [*command, "--rehearse", "--networks", "alexnet"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    head, names, line = said.splitlines()
    assert "no figure means anything" in head
    cells = line.split()
    assert cells[:3] == ["alexnet", "63", "2"]
    assert len(cells) == len(names.split()) and cells[-1].endswith("%")
