"""MirroredStrategy on two logical CPUs learns what one device learns."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.training.epoch_log import read_epochs
from gastric_keras.training.runtime import build_strategy
from tests.helpers import two_workers
from tests.helpers.events import read_steps
from tests.helpers.small_sets import write_small_set
from tests.helpers.warm_process import WarmProcess


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Network, or two sets -> devices -> training and validation loss of each epoch."""
    folder = tmp_path_factory.mktemp("replicas")
    process = WarmProcess(
        "tests.helpers.two_replicas", [str(folder)], said=folder / "said"
    )
    assert process.wait() == 0, process.said()[-3000:]
    return _result(process.said())


@pytest.mark.parametrize("network", ["alexnet", "vgg16", "inception_v3", "two sets"])
def test_two_replicas_equal_one_device(losses: dict, network: str) -> None:
    found = losses[network]
    assert np.shape(found["1"]) == (2, 2)
    np.testing.assert_allclose(found["1"], found["2"], atol=1e-5)
    # Something was learned that could have differed.
    assert abs(found["1"][0][1] - found["1"][1][1]) > 1e-4


def _result(out: str) -> dict:
    result = next(x for x in out.splitlines() if x.startswith("RESULT "))
    return json.loads(result.removeprefix("RESULT "))


def _start_worker(
    folder: Path, name: str, index: int, ports: list[int], *, die_in_epoch: int = -1
) -> WarmProcess:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    task = {"type": "worker", "index": index}
    return WarmProcess(
        "tests.helpers.two_workers",
        [str(folder), name, str(die_in_epoch)],
        said=folder / f"said-{index}-{ports[0]}",
        environment={"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})},
    )


def _free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        for held in (one, other):
            held.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]


def test_two_workers_equal_one_and_survive_the_loss_of_one(tmp_path: Path) -> None:
    write_small_set(
        tmp_path / "set",
        "tissue",
        ("background", "epithelium", "stroma"),
        per_class={"train": 7, "validation": 3},
    )
    wanted = two_workers.train(tmp_path, "alone")

    # The second worker dies at the end of the second epoch; the first says so.
    ports = _free_ports()
    chief = _start_worker(tmp_path, "both", 0, ports)
    other = _start_worker(tmp_path, "both", 1, ports, die_in_epoch=1)
    assert (chief.wait(timeout=180), other.wait(timeout=60)) == (1, 9)
    assert "All workers of stage mid must stay alive, got" in chief.said()
    assert "Start all of them again" in chief.said()

    # Started again, both go on after the first or the second epoch, whichever the
    # chief had finished, and end where one process alone does.
    ports = _free_ports()
    workers = [_start_worker(tmp_path, "both", index, ports) for index in (0, 1)]
    results = []
    for worker in workers:
        assert worker.wait(timeout=180) == 0, worker.said()[-3000:]
        results.append(_result(worker.said()))
    assert [result["chief"] for result in results] == [True, False]
    assert results[0]["losses"] == results[1]["losses"]
    assert len(results[0]["losses"]) in (1, 2)
    np.testing.assert_allclose(
        results[0]["losses"], wanted[-len(results[0]["losses"]) :], atol=1e-5
    )
    run_dir = RunDir(tmp_path / "both")
    rows = read_epochs(run_dir.history("mid"))
    np.testing.assert_allclose(
        [row["loss"] for row in rows], np.array(wanted)[:, 0], atol=1e-5
    )
    assert run_dir.done("mid").is_file() and run_dir.weights("mid").is_file()
    # The chief alone writes for TensorBoard, and nothing twice after the loss.
    steps = read_steps(run_dir.stage("mid") / "validation")
    assert steps["scores/auc"] == [1, 2, 3]


def test_without_gpu_the_default_strategy_serves() -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    assert build_strategy().num_replicas_in_sync == 1
    assert not isinstance(build_strategy(), tf.distribute.MirroredStrategy)
    assert isinstance(build_strategy(("CPU:0",)), tf.distribute.MirroredStrategy)


def test_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match=r"must be among CPU:0.*\['GPU:7'\]"):
        build_strategy(("GPU:7",))
