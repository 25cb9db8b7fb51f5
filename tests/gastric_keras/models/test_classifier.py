"""The three classifiers: uint8 patch in, probabilities out, preprocessing inside."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import applications

from gastric_keras.config.backbones import BACKBONES, warn_of_small_maps
from gastric_keras.config.experiment import BackboneConfig
from gastric_keras.models import alexnet
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.inference import build_forward, predict
from gastric_keras.support.errors import InputError
from tests.helpers.small_models import OBLONG, SMALL, draw_patches

PREPROCESS = {
    "vgg16": applications.vgg16.preprocess_input,
    "alexnet": alexnet.preprocess_input,
    "inception_v3": applications.inception_v3.preprocess_input,
}


Pairs = dict[str, tuple[keras.Model, keras.Model]]


@pytest.mark.parametrize("name", BACKBONES)
def test_a_classifier(classifiers: Pairs, name: str) -> None:
    model, _ = classifiers[name]
    patches = draw_patches(4, SMALL[name], SMALL[name])
    probability = model(patches, training=False)
    assert probability.dtype == "float32" and probability.shape == (4, 3)
    np.testing.assert_allclose(np.sum(probability, axis=1), 1, atol=1e-6)
    assert np.std(probability, axis=0).max() > 0
    assert model.input.dtype == "uint8" and model.name == f"{name}_classifier"
    backbone = model.get_layer("backbone")
    assert isinstance(backbone, keras.Model)
    assert model.get_layer("head").kernel.shape == (backbone.output_shape[-1], 3)
    # The layers whose responses are drawn are there.
    for layer in BACKBONES[name].first_convolutions.values():
        assert isinstance(backbone.get_layer(layer), keras.layers.Conv2D)


@pytest.mark.parametrize("name", BACKBONES)
def test_preprocessing_is_that_of_keras_applications(
    classifiers: Pairs, name: str
) -> None:
    model, _ = classifiers[name]
    backbone, head = model.get_layer("backbone"), model.get_layer("head")
    patches = draw_patches(3, SMALL[name], SMALL[name])
    # A copy: Keras preprocesses a float array in place.
    x = PREPROCESS[name](patches.astype(np.float32).copy())
    features = np.asarray(backbone(x, training=False)).mean(axis=(1, 2))
    expected = np.asarray(head(features))
    np.testing.assert_allclose(model(patches), expected, rtol=0, atol=1e-5)
    # And it matters: without it the answer is another one.
    raw = np.asarray(backbone(patches.astype(np.float32))).mean(axis=(1, 2))
    assert np.abs(np.asarray(head(raw)) - expected).max() > 1e-3


@pytest.mark.parametrize("name", BACKBONES)
def test_names_are_the_same_in_every_build_and_for_every_size(
    classifiers: Pairs, name: str
) -> None:
    first, second = classifiers[name]
    for one, two in (
        (first, second),
        (first.get_layer("backbone"), second.get_layer("backbone")),
    ):
        assert [w.path for w in one.weights] == [w.path for w in two.weights]
    names = [
        [layer.name for layer in model.get_layer("backbone").layers[1:]]
        for model in (first, second)
    ]
    assert names[0] == names[1] and len(set(names[0])) == len(names[0])
    assert {"patch", "pool", "dropout"} <= {layer.name for layer in second.layers}
    assert second.input_shape == (None, *OBLONG[name], 3)
    assert second(draw_patches(1, *OBLONG[name])).shape == (1, 2)


def test_head_and_sizes_agree_with_the_config() -> None:
    for name, kind in BACKBONES.items():
        assert kind.smallest_size == SMALL[name]
        BackboneConfig(name, image_size=kind.smallest_size)
        with pytest.raises(InputError, match=f"at least {kind.smallest_size} px"):
            BackboneConfig(name, image_size=kind.smallest_size - 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_three_by_three_is_the_least_size_with_such_a_map(name: str) -> None:
    kind = BACKBONES[name]
    sizes = (kind.three_by_three - 1, kind.three_by_three)

    def build(*size: int | None) -> keras.Model:
        return kind.build(
            include_top=False, weights=None, input_shape=(*size, 3), name="backbone"
        )

    if name == "alexnet":
        maps = [build(size, size).output_shape[1:3] for size in sizes]
    else:
        # Of any size: Inception takes seconds to build.
        model = build(None, None)
        maps = [model.compute_output_shape((1, s, s, 3))[1:3] for s in sizes]
    assert maps == [(2, 2), (3, 3)]


def test_a_small_last_map_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_small_maps.cache_clear()
    for _ in range(2):
        build_classifier("alexnet", 2, image_size=112, weights=None)
    build_classifier("alexnet", 2, image_size=127, weights=None)
    assert capsys.readouterr().err == (
        "Warning: image_size 112 leaves alexnet a last map smaller than 3 × 3, most of "
        "it padding. Set image_size to 127 or more: patches are enlarged.\n"
    )


def test_batch_norm_moves_only_when_it_is_let(classifiers: Pairs) -> None:
    for model, is_let in zip(classifiers["inception_v3"], (False, True), strict=True):
        before = {w.path: w.numpy() for w in model.non_trainable_variables}
        model(draw_patches(2, *model.input_shape[1:3]), training=True)
        moving = [w for w in model.weights if "/moving_" in w.path]
        assert len(moving) == 2 * 94
        moved = [np.abs(w - before[w.path]).max() > 0 for w in moving]
        assert all(moved) if is_let else not any(moved)
        # Neither do the shifts learn, while the kernels always do.
        trainable = {w.path for w in model.trainable_weights}
        assert len([path for path in trainable if path.endswith("/kernel")]) == 95
        assert len([path for path in trainable if path.endswith("/beta")]) == (
            94 if is_let else 0
        )


def test_dropout_has_the_rate_that_was_asked_for() -> None:
    model = build_classifier("vgg16", 2, image_size=32, weights="none", dropout=0.25)
    assert model.get_layer("dropout").rate == 0.25


@pytest.mark.parametrize("policy", ["mixed_bfloat16"])
def test_the_head_stays_in_float32(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = build_classifier("alexnet", 2, image_size=63, weights="none")
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("backbone").get_layer("conv2").compute_dtype == "bfloat16"
    probability = model(draw_patches(2, 63, 63))
    assert probability.dtype == "float32"
    np.testing.assert_allclose(np.sum(probability, axis=1), 1, atol=1e-6)


def fail(backbone: str, num_classes: int, image_size: object) -> str:
    with pytest.raises(InputError) as error:
        build_classifier(
            backbone,
            num_classes,
            image_size=image_size,  # type: ignore[arg-type]
            weights="none",
        )
    return str(error.value)


def test_refusals() -> None:
    message = fail("resnet", 2, 224)
    assert message.startswith("backbone must be one of vgg16, alexnet, inception_v3, ")
    assert message.endswith(", xception, got 'resnet'. Did you mean 'resnet50'?")
    message = fail("vgg16", 1, 224)
    assert "num_classes must be at least 2, got 1." in message
    for name, smallest in SMALL.items():
        for size in (smallest - 1, (500, smallest - 1), (smallest - 1, 500)):
            message = fail(name, 2, size)
            assert f"image_size must be at least {smallest} px for" in message
            assert f" {name}, got {size}." in message


def test_predict_equals_the_model_with_an_uneven_last_batch(
    classifiers: Pairs,
) -> None:
    model, _ = classifiers["vgg16"]
    patches = draw_patches(7, 32, 32)
    columns = {"image": patches, "label": np.arange(7), "case_id": list("abcdefg")}
    dataset = tf.data.Dataset.from_tensor_slices(columns).batch(3)
    found = predict(build_forward(model), dataset)
    assert set(found) == {"label", "case_id", "probability"}
    assert found["label"].tolist() == list(range(7))
    assert found["case_id"].tolist() == [c.encode() for c in "abcdefg"]
    assert found["probability"].dtype == np.float32
    expected = np.asarray(model(patches, training=False))
    np.testing.assert_allclose(found["probability"], expected, rtol=0, atol=1e-6)


def test_predict_switches_dropout_off() -> None:
    model = build_classifier("vgg16", 2, image_size=32, weights="none", dropout=0.9)
    dataset = tf.data.Dataset.from_tensors({"image": draw_patches(2, 32, 32)}).repeat(3)
    found = predict(build_forward(model), dataset)["probability"].reshape(3, 2, 2)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_the_table_names_the_size_of_the_weights() -> None:
    assert {k: v.image_size for k, v in BACKBONES.items()} == {
        "vgg16": 224,
        "alexnet": 224,
        "inception_v3": 299,
    }


@pytest.mark.parametrize(
    "network, layer, known",
    [
        ("alexnet", "conv9", "conv1, conv2, conv3, conv4, conv5"),
        ("inception_v3", "block1", "mixed0, mixed1"),
    ],
)
def test_an_unknown_layer_to_train_from_is_refused(
    network: str, layer: str, known: str
) -> None:
    with pytest.raises(InputError, match=f"such as {known}.*, got '{layer}'"):
        build_classifier(
            network, 2, image_size=SMALL[network], weights="none", trainable_from=layer
        )


def test_inception_is_trained_from_a_block_on() -> None:
    model = build_classifier(
        "inception_v3", 2, image_size=75, weights="none", trainable_from="mixed9"
    )
    trained = {weight.path.split("/")[0] for weight in model.trainable_weights}
    # The last block alone, without its batch normalizations, and the head.
    assert trained - {"head"} == {f"conv2d_{i}" for i in range(85, 94)}


@pytest.mark.parametrize(
    ("backbone", "first"),
    [("alexnet", "conv4"), ("vgg16", "block4_conv1"), ("inception_v3", "conv2d_59")],
)
def test_a_share_of_the_convolutions_is_frozen(backbone: str, first: str) -> None:
    model = build_classifier(
        backbone, 2, image_size=SMALL[backbone], weights="none", trainable_from=0.6
    )
    network = model.get_layer("backbone")
    assert next(x.name for x in network.layers if x.trainable_weights) == first
