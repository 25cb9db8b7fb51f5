"""What several workers are fed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.trainers.data_adapters.tf_dataset_adapter import make_class_weight_map_fn

from gastric_keras.data.batch_part import BatchPart
from gastric_keras.training import runtime


@pytest.mark.parametrize("labels", [[1, 0, 2, 2], np.eye(3)[[2, 0, 1]].tolist()])
def test_patches_of_workers_are_weighed_as_keras_weighs_them(labels: list) -> None:
    weights = {0: 0.5, 2: 3.0, 1: 1.25}
    patches = tf.zeros((len(labels), 2)), tf.constant(labels)
    wanted = make_class_weight_map_fn(weights)(*patches)
    found = runtime._weigh(weights, *patches)
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_process_alone_makes_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert runtime.batch_part() == BatchPart(0, 1)
    dataset = tf.data.Dataset.range(3)
    fed = runtime.distribute(
        tf.distribute.get_strategy(), keras.Sequential(), dataset, {0: 1.0}
    )
    assert fed == {"x": dataset, "class_weight": {0: 1.0}}
