"""What is found of a network whose entry names no layers."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from gastric_keras.config.applications import APPLICATIONS
from gastric_keras.config.backbones import BACKBONES, find_backbone
from gastric_keras.config.experiment import BackboneConfig
from gastric_keras.models.applications import build_application
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.layers import find_layers, first_convolution
from gastric_keras.support.errors import InputError
from gastric_keras.visualization.gradcam import decision_maps
from gastric_keras.visualization.responses import filter_responses, first_kernels
from tests.helpers.own_network import OWN_NETWORK

OPEN = dataclasses.replace(
    OWN_NETWORK, first_convolutions={}, probed_layers=(), gradcam_layer=""
)


def test_stages_are_found_by_their_grids() -> None:
    network = OPEN.build(
        include_top=False, weights=None, input_shape=(32, 32, 3), name="backbone"
    )
    found = find_layers(network, OPEN)
    # 32 → conv1 30 → pool1 15 → conv2 13 → pool2 6: pools alone are no stage.
    assert found.first_convolutions == {"30x30": "conv1", "13x13": "conv2"}
    assert found.probed == ("conv1", "norm2") and found.gradcam == "norm2"
    assert find_layers(network, OWN_NETWORK).probed == OWN_NETWORK.probed_layers


def test_squeezed_grids_and_padding_are_no_stage() -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.ZeroPadding2D(1)(inputs)
    x = layers.Conv2D(4, 3, name="conv")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(4, 1, name="squeeze")(gate)
    network = keras.Model(inputs, layers.Multiply(name="scaled")([x, gate]))
    found = find_layers(network, OPEN)
    assert found.first_convolutions == {"16x16": "conv"}
    assert found.gradcam == "scaled"


def test_the_first_convolution_may_lie_in_a_stem() -> None:
    stem = keras.Sequential([layers.Conv2D(4, 4, 4, name="patches")], name="stem")
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", groups=4, name="depthwise")(stem(inputs))
    network = keras.Model(inputs, x)
    named = find_layers(network, OPEN)
    assert list(named.first_convolutions.values()) == ["depthwise"]
    assert first_convolution(network, named).name == "patches"


def test_pictures_are_drawn_of_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "open", OPEN)
    model = build_classifier("open", 2, image_size=32, weights="none")
    patches = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    responses = filter_responses(model, patches, backbone="open")
    assert {block: x.shape for block, x in responses.items()} == {
        "30x30": (2, 30, 30, 4),
        "13x13": (2, 13, 13, 6),
    }
    assert first_kernels(model, backbone="open").shape == (3, 3, 3, 4)
    assert decision_maps(model, patches, [0, 1], backbone="open").shape == (2, 13, 13)


def test_every_name_is_one_that_keras_has() -> None:
    import inspect

    known = {
        name
        for name, value in vars(keras.applications).items()
        if inspect.isfunction(value)
    }
    titles = {entry.title for entry in APPLICATIONS.values()}
    assert titles | {"VGG16", "InceptionV3"} == known
    for name, entry in APPLICATIONS.items():
        assert callable(keras.applications.__dict__[entry.title])
        assert name == name.lower() and BackboneConfig(name).image_size == 224
        assert np.asarray(entry.preprocess(np.ones((1, 2, 2, 3), "float32"))).ndim == 4
    with pytest.raises(InputError, match="got 'ResNet50'. Did you mean 'resnet50'?"):
        find_backbone("ResNet50")


def test_layers_have_the_same_names_in_every_build() -> None:
    first, second = (
        build_application(
            "MobileNet",
            include_top=False,
            weights=None,
            input_shape=(32, 32, 3),
            name="backbone",
        )
        for _ in range(2)
    )
    assert first.name == "backbone"
    names = [[layer.name for layer in model.layers[1:]] for model in (first, second)]
    assert names[0] == names[1] and len(names[0]) > 80


def test_keras_own_weights_are_taken_or_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*, weights: str | None = None, **arguments: object) -> keras.Model:
        if weights == "imagenet" and arguments["input_shape"] == (16, 16, 3):
            raise OSError("no network")
        model = OWN_NETWORK.build(weights=None, **arguments)
        if weights == "imagenet":
            model.set_weights([np.full_like(x, 0.25) for x in model.get_weights()])
        return model

    entry = dataclasses.replace(OPEN, build=build, imagenet="keras", title="Open")
    monkeypatch.setitem(BACKBONES, "open", entry)
    model = build_classifier("open", 2, image_size=32, weights="imagenet")
    assert all((x == 0.25).all() for x in model.get_layer("backbone").get_weights())
    with pytest.raises(InputError, match=r"got neither \(no network\). Run keras.appl"):
        build_classifier("open", 2, image_size=16, weights="imagenet")
