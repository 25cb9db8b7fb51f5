"""Exports of more than two classes, loaded, and refused where they cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.serving.exported_answer import answer_of_classes
from gastric_keras.serving.exported_metadata import find_classes
from gastric_keras.serving.exported_model import load_exported
from gastric_keras.statistics.calibration import apply_temperature
from gastric_keras.support.errors import InputError
from tests.helpers.small_exports import COLORS, SIZE, color_export, raw_colors_of
from tests.helpers.small_pictures import noise


@pytest.fixture
def exported() -> Path:
    return color_export()


def test_an_export_answers_for_each_class(exported: Path) -> None:
    model = load_exported(exported.parent)
    assert (model.positive, model.scored_classes, model.tells_raw) == (
        None,
        COLORS,
        True,
    )
    patches = np.stack([noise(seed, SIZE, SIZE) for seed in range(9)])
    for place in range(3):
        patches[place::3, ..., place] //= 2
    answer = model.predict(patches)
    raw = np.array([raw_colors_of(patch) for patch in patches])
    assert answer.raw is not None and answer.threshold is None
    np.testing.assert_allclose(answer.raw, raw, atol=1e-5)
    scaled = apply_temperature(raw, 2.0)
    np.testing.assert_allclose(answer.probability, scaled, atol=1e-5)
    assert answer.label.tolist() == [COLORS[i] for i in raw.argmax(axis=1)]
    assert len(set(answer.label)) == 3


@pytest.mark.parametrize(
    "names",
    [
        None,
        "red",
        ["red", "green"],
        ["red", "green", "green"],
        ["red", "green", ""],
        ["red", "green", 3],
        ["red", "green", ["blue"]],
        ["red", "green", "blue", "gray"],
    ],
)
def test_classes_without_names_are_refused(names: object) -> None:
    with pytest.raises(InputError, match="must name the 3 classes .*, each once, got"):
        find_classes({"classes": names}, 3, Path("export/1"))


def test_names_that_lack_or_stand_in_another_order_are_told(
    exported: Path, tmp_path: Path
) -> None:
    shutil.copytree(exported, tmp_path / "1")
    path = tmp_path / "1" / "assets" / "metadata.json"
    path.unlink()
    with pytest.raises(InputError, match="name the 3 classes .*, got .*classes=None"):
        load_exported(tmp_path)
    path.write_text(json.dumps({"classes": ["green", "red", "blue"]}))
    with pytest.raises(InputError, match="the label of the highest probability, got"):
        load_exported(tmp_path).predict(noise(0, SIZE, SIZE)[None])


_SOUND = np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]], np.float32)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"probabilities": _SOUND[:1]}, r"for each of 2 patches, got shapes=\[\(1, 3"),
        ({"raw_probabilities": _SOUND[:, :2]}, r"give 3 probabilities.*\(2, 2\)"),
        ({"label": ["a"]}, r"a label for each of 2 patches, got .*\(1,\)\]"),
        ({"probabilities": _SOUND * 2 - 0.3}, r"in \[0, 1\], got .*-0.3"),
        ({"raw_probabilities": _SOUND / 2}, r"must sum to 1, got sum=.0.5"),
        ({"label": ["b", "a"]}, r"highest probability, got .*0.5\].*label=\['b'\]"),
        ({"label": ["c", "other"]}, r"highest probability, got .*\['other'\]"),
        ({"raw_probabilities": _SOUND[:, ::-1]}, r"highest.*\[0.5, .*label=\['c'\]"),
    ],
)
def test_an_answer_that_contradicts_itself_is_refused(
    changed: dict[str, Any], message: str
) -> None:
    found = {
        "probabilities": _SOUND,
        "raw_probabilities": _SOUND,
        "label": ["c", "a"],
    } | changed
    tensors = {key: tf.constant(value) for key, value in found.items()}
    with pytest.raises(InputError, match=message):
        answer_of_classes(tensors, 2, classes=("a", "b", "c"), is_known=False)
    # Believed once an earlier one was checked.
    answer_of_classes(tensors, 2, classes=("a", "b", "c"), is_known=True)


def test_outputs_of_two_or_of_open_number_are_refused(tmp_path: Path) -> None:
    for number, columns in enumerate((2, None)):
        module = tf.Module()
        spec = tf.TensorSpec((None, SIZE, SIZE, 3), tf.uint8, "patch")

        def call(patch: tf.Tensor, columns: int | None = columns) -> dict:
            red = tf.reduce_mean(tf.cast(patch, tf.float32), axis=(1, 2)) / 765
            shown = red[:, : columns or tf.shape(patch)[0]]
            label = tf.fill(tf.shape(red)[:1], "a")
            return {"probabilities": shown, "raw_probabilities": shown, "label": label}

        module.call = tf.function(call, input_signature=[spec])
        folder = tmp_path / str(number)
        tf.saved_model.save(
            module, str(folder), signatures={"predict_array": module.call}
        )
        with pytest.raises(InputError, match="of three classes or more, got"):
            load_exported(folder)
