"""Private names of Keras: there in this version, and missed aloud in another."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from gastric_keras.support.errors import InputError
from gastric_keras.training import keras_faults

NAME = "_collective_all_reduce_multi_worker"


@pytest.fixture
def model() -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _batches() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors((tf.zeros((4, 3)), tf.zeros(4, tf.int64)))


def test_this_keras_has_the_names(
    model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = getattr(keras_faults.keras_trainer, NAME)
    monkeypatch.setattr(keras_faults.keras_trainer, NAME, honest)
    strategy = tf.distribute.get_strategy()
    keras_faults.prepare_for_workers(strategy, model, _batches())
    assert getattr(keras_faults.keras_trainer, NAME)(strategy) is False
    # Nothing is left to build, and what was built is trained.
    assert model.metrics_names == ["loss", "compile_metrics"]
    model.fit(_batches(), verbose=0, shuffle=False)


def test_a_keras_without_them_is_refused(
    model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(keras_faults.keras_trainer, NAME)
    with pytest.raises(InputError, match=rf"Keras must have {NAME}.*keras==3\.15\.1"):
        keras_faults.prepare_for_workers(
            tf.distribute.get_strategy(), model, _batches()
        )
