"""Grad-CAM on models whose evidence is known, and on the three networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.data.decode import decode
from gastric_keras.models.classifier import build_classifier
from gastric_keras.records.schema import read_records
from gastric_keras.support.errors import InputError
from gastric_keras.visualization.gradcam import decision_maps
from tests.helpers.small_models import draw_patches
from tests.helpers.small_sets import write_small_set

#: Where the evidence is: rows and columns.
PLACE = (slice(20, 28), slice(4, 12))


def build_red_or_blue(saturation: float = 1.0) -> keras.Model:
    """Class 1 where there is red, class 0 where there is blue, place by place."""
    inputs = keras.Input((32, 32, 3))
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[0, 0, 0, 1] = kernel[0, 0, 2, 0] = 1.0
    kernel[0, 0, 1] = -1.0  # white is neither
    maps = layers.Conv2D(2, 1, activation="relu", name="conv5")
    network = keras.Model(inputs, maps(inputs), name="backbone")
    maps.set_weights([kernel, np.zeros(2, np.float32)])
    patch = keras.Input((32, 32, 3), dtype="uint8")
    x = BACKBONES["alexnet"].preprocess(keras.ops.cast(patch, "float32"))
    x = layers.GlobalAveragePooling2D(name="pool")(network(x))
    head = layers.Dense(2, "softmax", dtype="float32", name="head")
    model = keras.Model(patch, head(x))
    head.set_weights([saturation * np.eye(2, dtype=np.float32), np.zeros(2)])
    return model


def red_in_one_place() -> np.ndarray:
    patch = np.full((32, 32, 3), (0, 0, 255), np.uint8)
    patch[PLACE] = (255, 0, 0)
    return patch


@pytest.mark.parametrize("saturation", [1.0, 1e4])
def test_the_map_peaks_where_the_evidence_lies(saturation: float) -> None:
    """Also where the softmax is exactly 0 and 1."""
    model = build_red_or_blue(saturation)
    patch = red_in_one_place()
    red, blue = decision_maps(model, np.stack([patch] * 2), [1, 0], backbone="alexnet")
    is_red = np.zeros((32, 32), bool)
    is_red[PLACE] = True
    assert (red[is_red] > 0).all() and (red[~is_red] == 0).all()
    assert (blue[is_red] == 0).all() and (blue[~is_red] > 0).all()


def test_the_map_is_the_formula_by_hand() -> None:
    """With mean and dense after the maps, α is (w_c - w_other) / places."""
    model = build_red_or_blue()
    patch = red_in_one_place()[None]
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 2)).astype(np.float32)
    model.get_layer("head").set_weights([weight, np.array([0.3, -0.1])])
    prepared = BACKBONES["alexnet"].preprocess(tf.cast(patch, tf.float32))
    maps = np.asarray(model.get_layer("backbone")(prepared))[0]
    alpha = (weight[:, 1] - weight[:, 0]) / 32**2
    found = decision_maps(model, patch, [1], backbone="alexnet")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], np.maximum(maps @ alpha, 0), atol=1e-7)


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_every_network_has_maps_that_differ_by_class(
    classifiers: dict[str, Any], backbone: str
) -> None:
    model = classifiers[backbone][0]
    patches = draw_patches(2, *model.input_shape[1:3])
    maps = decision_maps(model, patches, [0, 2], backbone=backbone)
    layer = model.get_layer("backbone").get_layer(BACKBONES[backbone].gradcam_layer)
    assert maps.shape == (2, *layer.output.shape[1:3])
    assert maps.dtype == np.float32 and np.isfinite(maps).all() and (maps >= 0).all()
    other = decision_maps(model, patches, [1, 1], backbone=backbone)
    assert not np.allclose(maps, other)
    # One patch does not lend its evidence to the next of the batch.
    alone = decision_maps(model, patches[:1], [0], backbone=backbone)
    np.testing.assert_allclose(alone[0], maps[0], rtol=1e-3, atol=1e-7)


def test_frozen_layers_do_not_hide_the_evidence() -> None:
    model = build_red_or_blue()
    model.get_layer("backbone").trainable = False
    assert decision_maps(model, red_in_one_place()[None], [1], backbone="alexnet").any()


def test_half_precision_gives_the_same_map_in_float32(tmp_path: Path) -> None:
    """On the patches of a set: not constant, and alike in both precisions."""
    write_small_set(
        tmp_path / "s", "target", ("benign", "malignant"), per_class={"test": 2}
    )
    records = list(read_records(tmp_path / "s", "test"))
    patches = np.stack([decode(record.image, 127).numpy() for record in records])
    maps, weights = {}, None
    try:
        for policy in ("float32", "mixed_bfloat16"):
            keras.utils.set_random_seed(0)
            keras.config.set_dtype_policy(policy)
            model = build_classifier("alexnet", 2, image_size=127, weights="none")
            weights = weights or model.get_weights()
            model.set_weights(weights)
            maps[policy] = decision_maps(model, patches, [1] * 4, backbone="alexnet")
    finally:
        keras.config.set_dtype_policy("float32")
    assert maps["mixed_bfloat16"].dtype == np.float32
    assert all(np.ptp(one) > 0 for one in maps["float32"])
    for full, half in zip(maps["float32"], maps["mixed_bfloat16"], strict=True):
        assert np.corrcoef(full.ravel(), half.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("classes", [[0], [0, 2], [[0, 1]]])
def test_classes_that_do_not_fit_are_refused(classes: list) -> None:
    patches = np.stack([red_in_one_place()] * 2)
    with pytest.raises(
        InputError, match="classes must be one class from 0 to 1 for each of 2 patches"
    ):
        decision_maps(build_red_or_blue(), patches, classes, backbone="alexnet")
