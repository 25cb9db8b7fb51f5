"""The warm start: every weight of both models is named, and no bit is lost."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.transfer import pretrained_report, warm_start, weight_names
from gastric_keras.support.errors import InputError
from tests.helpers.small_models import SMALL


def build(name: str, classes: int, size: int = 0) -> keras.Model:
    return build_classifier(
        name, classes, image_size=size or SMALL[name], weights="none"
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_warm_start_copies_the_backbone_and_nothing_else(
    classifiers: dict[str, tuple[keras.Model, keras.Model]], name: str
) -> None:
    old, new = classifiers[name]
    # Statistics and shifts are the same in every fresh network: move them all.
    rng = np.random.default_rng(0)
    for weight in old.weights:
        noise = rng.uniform(0.0, 0.01, weight.shape)
        weight.assign_add(noise.astype(np.float32))
    head = [w.numpy() for w in new.get_layer("head").weights]
    given = {k: w.numpy() for k, w in weight_names(old).items()}

    report = warm_start(old, new, source="run/mid")

    wanted = weight_names(new)
    assert report.source == "run/mid"
    assert report.initialised == report.unused == ("head/kernel", "head/bias")
    assert (*report.copied, *report.initialised) == tuple(wanted)
    assert (*report.copied, *report.unused) == tuple(given)
    assert len(wanted) == len(new.weights)
    backbone = new.get_layer("backbone")
    assert len(report.copied) == len(backbone.weights)
    for key in report.copied:
        assert wanted[key].numpy().tobytes() == given[key].tobytes(), key
    for before, after in zip(head, new.get_layer("head").weights, strict=True):
        np.testing.assert_array_equal(before, after)
    # The old model is as it was.
    for key, weight in weight_names(old).items():
        assert weight.numpy().tobytes() == given[key].tobytes(), key


def test_the_features_are_the_old_ones() -> None:
    old, new = build("alexnet", 3), build("alexnet", 2)
    x = np.random.default_rng(0).normal(0, 1, (1, 63, 63, 3)).astype(np.float32)
    features = np.asarray(old.get_layer("backbone")(x))
    assert np.abs(features - new.get_layer("backbone")(x)).max() > 1e-4
    warm_start(old, new)
    np.testing.assert_array_equal(new.get_layer("backbone")(x), features)


def test_patches_of_another_size_may_follow() -> None:
    old, new = build("vgg16", 2), build("vgg16", 2, size=48)
    report = warm_start(old, new)
    assert len(report.copied) == 26 and report.source == "the stage before"


def test_another_backbone_is_refused_and_nothing_is_copied() -> None:
    old, new = build("alexnet", 2), build("vgg16", 2)
    before = new.get_weights()
    with pytest.raises(InputError) as error:
        warm_start(old, new)
    assert str(error.value) == (
        "The backbone must have the same weights as vgg16_classifier, got "
        "alexnet_classifier, which differs in 36 of them, first in "
        "backbone/block1_conv1/bias: (64,) wanted, None given. Use the same backbone "
        "in every stage."
    )
    for old_weight, weight in zip(before, new.get_weights(), strict=True):
        np.testing.assert_array_equal(old_weight, weight)


def classifier(*filters: int, names: tuple[str, ...] = ("a", "b")) -> keras.Model:
    """A model of the classifier's form with convolutions of our own."""
    inputs = keras.Input((8, 8, 3))
    x = inputs
    for name, n in zip(names, filters, strict=False):
        x = keras.layers.Conv2D(n, 3, name=name)(x)
    backbone = keras.Model(inputs, x, name="backbone")
    patch = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone(patch))
    return keras.Model(patch, keras.layers.Dense(2, name="head")(x), name="tiny")


@pytest.mark.parametrize("filters, given", [((4, 5), "(5,)"), ((4,), "None")])
def test_one_other_or_missing_layer_is_refused(filters: tuple, given: str) -> None:
    with pytest.raises(InputError) as error:
        warm_start(classifier(*filters), classifier(4, 6))
    # Kernel and bias: two.
    first = (
        f"differs in 2 of them, first in backbone/b/bias: (6,) wanted, {given} given"
    )
    assert first in str(error.value)


def test_one_layer_too_many_is_refused() -> None:
    with pytest.raises(InputError, match=r"backbone/b/bias: None wanted, \(6,\) given"):
        warm_start(classifier(4, 6), classifier(4))


class _Scale(keras.layers.Layer):
    """Two weights that Keras has to name, as in LayerScale of ConvNeXt."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.scale = self.add_weight(shape=(shape[-1],))
        self.shift = self.add_weight(shape=(1,))

    def call(self, inputs: object) -> object:
        return inputs * self.scale + self.shift


def test_weights_without_a_name_are_known_by_their_layer() -> None:
    def scaled() -> keras.Model:
        inputs = keras.Input((4,))
        inside = keras.Model(inputs, _Scale(name="scale")(inputs), name="backbone")
        outer = keras.Input((4,))
        return keras.Model(outer, inside(outer))

    old, new = scaled(), scaled()
    assert old.weights[0].path != new.weights[0].path
    old.weights[0].assign([1.0, 2.0, 3.0, 4.0])
    report = warm_start(old, new, source="run/mid")
    assert report.copied == ("backbone/scale/variable_0", "backbone/scale/variable_1")
    np.testing.assert_array_equal(new.weights[0].numpy(), [1, 2, 3, 4])


def test_two_weights_of_one_name_are_refused() -> None:
    model = classifier(4)
    for weight in model.get_layer("backbone").weights:
        weight._path = "a/kernel"
    with pytest.raises(InputError) as error:
        weight_names(model)
    assert ", got two weights named 'backbone/a/kernel'." in str(error.value)


@pytest.mark.parametrize("weights", ["imagenet", "some/file.pth", "none"])
def test_pretrained_report(weights: str) -> None:
    model = classifier(4, 6)
    report = pretrained_report(model, weights=weights)
    backbone = tuple(f"backbone/{k}/{w}" for k in "ab" for w in ("kernel", "bias"))
    head = ("head/kernel", "head/bias")
    assert report.source == f"weights: {weights}" and report.unused == ()
    if weights == "none":
        assert (report.copied, report.initialised) == ((), backbone + head)
    else:
        assert (report.copied, report.initialised) == (backbone, head)
