"""MirroredStrategy on two logical CPUs learns what one device learns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.errors import InputError
from gastric_keras.runtime import build_strategy


def test_two_replicas_equal_one_device(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.two_replicas", str(tmp_path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = next(x for x in done.stdout.splitlines() if x.startswith("RESULT "))
    losses = json.loads(result.removeprefix("RESULT "))
    assert np.shape(losses["1"]) == (2, 2)
    np.testing.assert_allclose(losses["1"], losses["2"], atol=1e-5)


def test_without_gpu_the_default_strategy_serves() -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    assert build_strategy().num_replicas_in_sync == 1
    assert not isinstance(build_strategy(), tf.distribute.MirroredStrategy)
    assert isinstance(build_strategy(("CPU:0",)), tf.distribute.MirroredStrategy)


def test_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match=r"Devices out of CPU:0.*\['GPU:7'\]"):
        build_strategy(("GPU:7",))
