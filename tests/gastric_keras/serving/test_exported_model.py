"""Loading what --stage export wrote, and refusing what it did not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.serving.exported_model import load_exported, version_folder
from gastric_keras.support.checksums import write_checksums
from gastric_keras.support.errors import InputError
from tests.faults.odd_models import write_odd_model
from tests.helpers.small_exports import SIZE, THRESHOLD, answer_of, write_red_model
from tests.helpers.small_pictures import noise


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_red_model(tmp_path_factory.mktemp("export") / "1")


def test_an_export_answers(exported: Path) -> None:
    model = load_exported(exported.parent)
    assert (model.folder, model.size, model.positive) == (exported, SIZE, "malignant")
    assert (model.patch_size, model.mpp, model.metadata) == (SIZE, 0, {})
    patches = np.stack([noise(seed, SIZE, SIZE) for seed in range(9)])
    patches[:4, ..., 0] //= 2
    answer = model.predict(patches)
    wanted = [answer_of(patch) for patch in patches]
    np.testing.assert_allclose(answer.probability, wanted, atol=1e-5)
    assert answer.probability.dtype == np.float32
    names = ["malignant" if each >= THRESHOLD else "benign" for each in wanted]
    assert answer.label.tolist() == names and len(set(names)) == 2
    assert answer.threshold == THRESHOLD


def test_the_highest_version_is_taken(tmp_path: Path) -> None:
    for name in ("2", "10", "11", "9x", ".partial"):
        (tmp_path / name).mkdir()
        if name != "11":
            (tmp_path / name / "saved_model.pb").touch()
    assert version_folder(tmp_path) == tmp_path / "10"
    assert version_folder(tmp_path / "2") == tmp_path / "2"
    with pytest.raises(InputError, match="numbered ones.*--stage export"):
        version_folder(tmp_path / "11")
    with pytest.raises(InputError, match="got model=.*none"):
        version_folder(tmp_path / "none")


def test_a_damaged_model_is_told(exported: Path, tmp_path: Path) -> None:
    whole = load_exported(exported).checksum
    for name in ("saved_model.pb", "variables/variables.data-00000-of-00001"):
        damaged = tmp_path / name.replace("/", "-") / "1"
        shutil.copytree(exported, damaged)
        content = (damaged / name).read_bytes()
        (damaged / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match="must be one that TensorFlow can load"):
            load_exported(damaged)
    other = write_red_model(tmp_path / "other")
    (other / "variables" / "more").write_bytes(b"more")
    assert load_exported(other).checksum != whole


def test_a_changed_bit_of_a_model_is_told(exported: Path, tmp_path: Path) -> None:
    version = shutil.copytree(exported, tmp_path / "1")
    (version / "model_card.md").write_text("a card")
    write_checksums(version, leave=("model_card.md",))
    assert load_exported(version).positive == "malignant"
    (version / "model_card.md").write_text("a card, and a remark")
    assert load_exported(version).positive == "malignant"
    graph = version / "saved_model.pb"
    content = graph.read_bytes()
    # A graph that TensorFlow loads as before.
    place = content.index(b"malignant_probability")
    graph.write_bytes(content[:place] + b"M" + content[place + 1 :])
    with pytest.raises(
        InputError, match="saved_model.pb must have the sha256 .*Copy the model"
    ):
        load_exported(version)
    graph.unlink()
    with pytest.raises(InputError, match="SavedModel"):
        load_exported(version)


def test_a_foreign_model_is_told(tmp_path: Path) -> None:
    def save(folder: str, side: int | None, name: str, outputs: dict) -> Path:
        module = tf.Module()
        spec = tf.TensorSpec((None, side, 8, 3), tf.uint8, "patch")
        module.call = tf.function(
            lambda patch: {
                k: tf.fill(tf.shape(patch)[:1], v) for k, v in outputs.items()
            },
            input_signature=[spec],
        )
        tf.saved_model.save(
            module, str(tmp_path / folder), signatures={name: module.call}
        )
        return tmp_path / folder

    good = {"label": "a", "threshold": 0.5, "b_probability": 0.1}
    number = good | {"label": 1.0}
    two = good | {"c_probability": 0.1}
    foreign = [
        (save("a", 8, "serving_default", good), "which lacks 'predict_array'"),
        (save("b", 9, "predict_array", good), r"square uint8.*\[None, 9, 8, 3\]"),
        (save("c", None, "predict_array", good), "square uint8"),
        (save("d", 8, "predict_array", {"x": 1.0}), "outputs={'x': 'float32'}"),
        (save("f", 8, "predict_array", number), "'label': 'float32'"),
        (
            save("e", 8, "predict_array", two),
            "outputs label, threshold and one <class>_probability",
        ),
    ]
    foreign.append((write_odd_model("gray patches"), r"RGB.*\[None, 8, 8, 1\]"))
    for folder, message in foreign:
        with pytest.raises(InputError, match=message):
            load_exported(folder)


@pytest.mark.parametrize(
    "name, message",
    [
        ("threshold NaN", r"a threshold in \[0, 1\] for each of 3 .*threshold=\[nan"),
        ("threshold 1.7", r"a threshold in \[0, 1\] for each of 3 .*threshold=\[1.7"),
        (
            "two columns",
            r"for each of 3 patches, got shapes=\[\(3, 2\), \(3,\), \(3,\)",
        ),
        (
            "fewer answers",
            r"for each of 3 patches, got shapes=\[\(1,\), \(1,\), \(1,\)",
        ),
        ("probability 1.7", r"in \[0, 1\], got probability=\[1.7"),
        ("probability -1", r"in \[0, 1\], got probability=\[-1.0"),
        ("labels of no class", "label malignant where.*label=.'other'"),
        ("labels of no text", "must answer to patches"),
        ("an answer that fails", "must answer to patches.*planted"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(name: str, message: str) -> None:
    model = load_exported(write_odd_model(name))
    white = np.full((3, SIZE, SIZE, 3), 255, np.uint8)
    with pytest.raises(InputError, match=message):
        model.predict(white)


def test_of_a_model_that_answered_once_the_rest_is_believed() -> None:
    model = load_exported(write_odd_model("probability 1.7"))
    white = np.full((3, SIZE, SIZE, 3), 255, np.uint8)
    assert model.predict(white, is_known=True).probability.max() > 1


def test_metadata_are_read_or_refused(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "1")
    path = tmp_path / "1" / "assets" / "metadata.json"
    path.parent.mkdir(exist_ok=True)
    for found, wanted in (
        ({"mpp": 0.5, "patch_size": 224}, (224, 0.5)),
        ({"mpp": 0, "patch_size": 0}, (SIZE, 0)),
        ({"mpp": None}, (SIZE, 0)),
    ):
        path.write_text(json.dumps(found))
        model = load_exported(tmp_path)
        assert (model.patch_size, model.mpp) == wanted and model.metadata == found
    for wrong in (
        [],
        {"mpp": "0.5"},
        {"mpp": -1},
        {"patch_size": 1.5},
        {"mpp": True},
        {"mpp": 1e400},
        {"mpp": 10**400},
        {"patch_size": 9999},
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(InputError, match="mpp and patch_size as numbers up to"):
            load_exported(tmp_path)
    path.write_text("{")
    with pytest.raises(InputError, match="must be valid JSON"):
        load_exported(tmp_path)
