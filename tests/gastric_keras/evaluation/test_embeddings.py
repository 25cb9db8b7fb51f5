"""Vectors of a SavedModel: what it is fed, what it gives, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.baselines import BaselinesConfig, SavedModelConfig
from gastric_keras.data.decode import decode
from gastric_keras.evaluation.baselines.embeddings import (
    embedding_digest,
    load_embedding,
    model_sha256,
)
from gastric_keras.records.schema import read_records
from gastric_keras.support.errors import InputError
from tests.helpers.small_embeddings import moments, write_embedding
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Five patches a class and split."""
    folder = tmp_path_factory.mktemp("set") / "records"
    per_class = {"train": 5, "validation": 5, "test": 5}
    write_small_set(folder, "target", CLASSES, per_class=per_class, size=24)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel that takes float32 of 24 px."""
    return write_embedding(tmp_path_factory.mktemp("model") / "m")


def expected(records: str, size: int, low: float, high: float) -> np.ndarray:
    pixels = [
        decode(tf.constant(record.image), size)
        for record in read_records(records, "test")
    ]
    scaled = low + tf.cast(tf.stack(pixels), tf.float32) * (high - low) / 255
    return moments(scaled)["embedding"].numpy()


@pytest.mark.parametrize("low, high", [(0, 1), (0, 255), (-1, 1)])
def test_the_patches_go_in_as_the_range_says(
    records: str, model: Path, low: float, high: float
) -> None:
    config = SavedModelConfig(str(model), input_range=(low, high))
    table = load_embedding("lab", config).table(records, "test")
    np.testing.assert_allclose(
        table.features["lab"], expected(records, 24, low, high), rtol=1e-4, atol=1e-5
    )
    held = list(read_records(records, "test"))
    assert table.image_id.tolist() == [record.image_id for record in held]
    assert table.case_id.tolist() == [record.case_id for record in held]
    assert table.label.tolist() == [record.label for record in held]


@pytest.mark.parametrize(
    "dtype, shape, size",
    [
        ("uint8", (None, None, None, 3), 16),
        ("uint8", (4, 16, 16, 3), None),
        ("uint8", None, 16),
    ],
)
def test_any_shape_of_signature_gives_a_vector_a_patch(
    tmp_path: Path, records: str, dtype: str, shape: Any, size: int | None
) -> None:
    folder = write_embedding(tmp_path / "m", dtype=dtype, shape=shape)
    embedding = load_embedding("lab", SavedModelConfig(str(folder), image_size=size))
    assert embedding.size == 16 and embedding.batch == (
        4 if shape == (4, 16, 16, 3) else 32
    )
    vectors = embedding.table(records, "test").features["lab"]
    # Ten patches in batches of four: the last is filled up, and cut again.
    np.testing.assert_allclose(vectors, expected(records, 16, 0, 255), rtol=1e-4)


def test_the_digest_follows_model_and_settings(
    tmp_path: Path, records: str, model: Path
) -> None:
    one = SavedModelConfig(str(model), input_range=(0, 1))
    others = [
        SavedModelConfig(str(model), input_range=(-1, 1)),
        SavedModelConfig(str(model), image_size=24, input_range=(0, 1)),
        SavedModelConfig(
            str(write_embedding(tmp_path / "m", dtype="float16")), input_range=(0, 1)
        ),
    ]
    digests = {embedding_digest(records, config) for config in [one, *others]}
    assert len(digests) == 4 and all(len(digest) == 16 for digest in digests)
    assert model_sha256(one) == model_sha256(others[0])


def several(patches: tf.Tensor) -> dict[str, tf.Tensor]:
    found = moments(patches)["embedding"]
    return {"vector": found, "other": found[:, :2]}


def test_one_of_several_outputs_is_named(tmp_path: Path, records: str) -> None:
    path = str(write_embedding(tmp_path / "m", several))
    with pytest.raises(InputError) as error:
        load_embedding("lab", SavedModelConfig(path, input_range=(0, 1)))
    message = "output must be one of the signature's: other, vector, got None. Set it"
    assert str(error.value).startswith(message)
    config = SavedModelConfig(path, output="other", input_range=(0, 1))
    table = load_embedding("lab", config).table(records, "test")
    assert table.features["lab"].shape == (10, 2)


def refused(path: Path, records: str, **told: Any) -> str:
    with pytest.raises(InputError) as error:
        told.setdefault("input_range", (0.0, 1.0))
        load_embedding("lab", SavedModelConfig(str(path), **told)).table(
            records, "test"
        )
    return str(error.value)


def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, records: str, model: Path
) -> None:
    assert (
        "signature must be one of the SavedModel's: serving_default, got 'serve'."
        in (refused(model, records, signature="serve"))
    )
    assert "image_size must be 24, as the signature says, got " in (
        refused(model, records, image_size=32)
    )
    assert (
        "input_range must be given, because the signature takes float32, got None"
        in (refused(model, records, input_range=None))
    )
    path = write_embedding(tmp_path / "m", dtype="uint8", shape=(None, None, None, 3))
    assert "input_range must be null or [0, 255] with a signature that takes uint8" in (
        refused(path, records, image_size=24)
    )
    assert "image_size must be given, because the signature leaves it open, got " in (
        refused(path, records, input_range=None)
    )


def test_what_is_no_saved_model_is_refused(tmp_path: Path, model: Path) -> None:
    config = SavedModelConfig(str(model.parent), input_range=(0, 1))
    with pytest.raises(InputError) as error:
        model_sha256(config)
    assert "path must be the folder of a SavedModel, with saved_model.pb in it" in str(
        error.value
    )
    assert f"Name {model}." in str(error.value)
    with pytest.raises(InputError, match="Check the path."):
        model_sha256(SavedModelConfig(str(tmp_path / "none")))
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(
        InputError, match="path must be a SavedModel that TensorFlow can"
    ):
        load_embedding("lab", SavedModelConfig(str(tmp_path)))


def maps(patches: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"map": patches[:, ::2, ::2]}


def nothing_known(patches: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"map": tf.py_function(lambda x: x, [patches], tf.float32)}


def nan(patches: tf.Tensor) -> dict[str, tf.Tensor]:
    found = moments(patches)["embedding"]
    return {
        "e": tf.where(
            found > tf.reduce_max(found) - 1e-6, found / 0.0 - found / 0.0, found
        )
    }


def labels(patches: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"label": tf.ones((tf.shape(patches)[0], 2), tf.int64)}


@pytest.mark.parametrize(
    "answer, dtype, shape, words",
    [
        (maps, "float32", (None, 24, 24, 3), "The output must be one vector a patch"),
        (labels, "float32", (None, 24, 24, 3), "The output must be one vector a patch"),
        (nan, "float32", (None, 24, 24, 3), "The SavedModel must give finite numbers"),
        (
            moments,
            "int32",
            (None, 24, 24, 3),
            "must take RGB patches (n, height, width",
        ),
        (
            moments,
            "float32",
            (None, 3, 24, 24),
            "must take RGB patches (n, height, width",
        ),
        (moments, "float32", (None, 24, 24), "must take RGB patches (n, height, width"),
    ],
)
def test_models_of_another_kind_are_refused(
    tmp_path: Path, records: str, answer: Any, dtype: str, shape: Any, words: str
) -> None:
    if len(shape) == 3:
        inner = answer

        def answer(patches: tf.Tensor) -> dict[str, tf.Tensor]:
            return inner(patches[..., None])

    path = write_embedding(tmp_path / "m", answer, dtype=dtype, shape=shape)
    message = refused(path, records)
    assert words in message and f"path='{path}'" in message


def fails(patches: tf.Tensor) -> dict[str, tf.Tensor]:
    with tf.control_dependencies([tf.debugging.Assert(False, ["planted"])]):
        return moments(tf.identity(patches))


def test_a_model_that_fails_is_named(tmp_path: Path, records: str) -> None:
    message = refused(write_embedding(tmp_path / "m", fails), records)
    assert "A SavedModel must answer to patches of its own signature, got " in message
    assert "planted" in message and "Check image_size." in message


def test_patches_are_the_only_input(tmp_path: Path, records: str) -> None:
    module = tf.Module()
    spec = tf.TensorSpec((None, 24, 24, 3), tf.float32)
    call = tf.function(
        lambda patches, mask: moments(patches * mask), input_signature=[spec, spec]
    )
    path = tmp_path / "two"
    tf.saved_model.save(module, str(path), signatures={"serving_default": call})
    message = refused(path, records)
    assert "The signature must have one input, the patches, got " in message
    assert "inputs=['mask', 'patches']" in message


def test_the_rank_is_looked_at_where_the_signature_is_silent(
    tmp_path: Path, records: str
) -> None:
    message = refused(write_embedding(tmp_path / "m", nothing_known), records)
    assert "must give (n, length), one vector for each of 10 patches, got " in message
    assert "shape=(10, 24, 24, 3)" in message


@pytest.mark.parametrize(
    "told, words",
    [
        ({"embeddings": {"a b": SavedModelConfig("m")}}, "must have names of letters"),
        (
            {"embeddings": {"lbp_svm": SavedModelConfig("m")}},
            "must have names of their",
        ),
    ],
)
def test_names_become_folders(told: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        BaselinesConfig(**told)


def test_a_range_is_one_of_three() -> None:
    with pytest.raises(InputError) as error:
        SavedModelConfig("m", input_range=(0, 2))
    assert "input_range must be [0, 1], [0, 255] or [-1, 1], got [0, 2]." in str(
        error.value
    )
