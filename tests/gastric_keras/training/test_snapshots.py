"""A snapshot is whole or it does not count."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from gastric_keras.training.snapshots import Snapshots, restore


def _model(dropout: float = 0.5) -> keras.Model:
    inputs = keras.Input((3,))
    outputs = keras.layers.Dense(1)(keras.layers.Dropout(dropout)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.1), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def _train(folder: Path, epochs: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = _model()
    x, y = np.ones((8, 3), np.float32), np.zeros((8, 1), np.float32)
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[Snapshots(folder)])
    return model


def _state(model: keras.Model) -> list[np.ndarray]:
    return [np.array(v) for v in [*model.variables, *model.optimizer.variables]]


def test_the_whole_state_comes_back(tmp_path: Path) -> None:
    trained = _train(tmp_path / "s", 3)
    keras.utils.set_random_seed(1)
    model = _model()
    assert restore(model, tmp_path / "s", stage="mid") == 3
    # Weights, the state of dropout's generator, and Adam's moments and step.
    assert len(_state(model)) == 2 + 1 + 2 + 4
    for mine, wanted in zip(_state(model), _state(trained), strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_two_are_kept_and_nothing_half_written(tmp_path: Path) -> None:
    _train(tmp_path, 4)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "epoch-00003.sha256",
        "epoch-00003.weights.h5",
        "epoch-00004.sha256",
        "epoch-00004.weights.h5",
    ]


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "unsealed"])
def test_a_damaged_one_falls_back_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    _train(tmp_path, 2)
    path = tmp_path / "epoch-00002.weights.h5"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "gone":
        path.unlink()
    else:
        (tmp_path / "epoch-00002.sha256").unlink()
    assert restore(_model(), tmp_path, stage="mid") == 1
    said = capsys.readouterr().out
    # One without its seal was cut off while it was written: nothing to say.
    assert ("snapshot of epoch 2" in said) == (damage != "unsealed")
    path = tmp_path / "epoch-00001.weights.h5"
    path.write_bytes(b"nothing")
    assert restore(_model(), tmp_path, stage="mid") == 0


def test_a_seal_cut_short_does_not_count(tmp_path: Path) -> None:
    _train(tmp_path, 2)
    (tmp_path / "epoch-00002.sha256").write_text("a1b2")
    assert restore(_model(), tmp_path, stage="mid") == 1


def test_no_folder_is_no_snapshot(tmp_path: Path) -> None:
    assert restore(_model(), tmp_path / "none", stage="mid") == 0
