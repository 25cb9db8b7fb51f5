"""The table of networks, and what may be added to it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gastric_keras.config.backbones import BACKBONES, find_backbone, register_backbone
from gastric_keras.config.experiment import BackboneConfig
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.weights import load_weights
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from tests.helpers.own_network import OWN_NETWORK, registered


@pytest.fixture()
def own() -> Iterator[str]:
    with registered() as name:
        yield name


def read(**tree: object) -> BackboneConfig:
    return config_io.build(BackboneConfig, tree)


def fail(name: str, **changes: object) -> str:
    with pytest.raises(InputError) as error:
        register_backbone(name, dataclasses.replace(OWN_NETWORK, **changes))
    assert name not in BACKBONES or BACKBONES[name].title != OWN_NETWORK.title
    return str(error.value)


def test_a_config_may_name_it_and_only_then(own: str) -> None:
    assert read(name=own, weights="none", image_size=10).name == own
    with pytest.raises(InputError, match=f"must be at least 10 px for {own}, got 9"):
        read(name=own, image_size=9)
    with pytest.raises(InputError) as error:
        read(name="two_block")
    known = "vgg16, alexnet, inception_v3, two_blocks, convnext_tiny"
    assert f"name must be one of {known}, " in str(error.value)
    assert ", xception, got 'two_block'" in str(error.value)
    assert "Did you mean 'two_blocks'?" in str(error.value)
    # Without a reader in between.
    with pytest.raises(InputError, match="xception, got 'two_block'. Did you"):
        BackboneConfig("two_block")
    with pytest.raises(InputError, match=", got 'nothing'. Choose one"):
        find_backbone("nothing")


def test_the_same_entry_may_be_registered_twice(own: str) -> None:
    register_backbone(own, OWN_NETWORK)
    with pytest.raises(InputError, match="name must not be that of another network"):
        register_backbone(own, dataclasses.replace(OWN_NETWORK, title="Another"))


def test_entries_that_cannot_be_right_are_refused() -> None:
    assert ", got 'vgg16'. Taken are vgg16, alexnet" in fail("vgg16")
    assert "only, got 'Two blocks'." in fail("Two blocks")
    for size in (0, 33):
        message = fail("two_blocks", smallest_size=size)
        assert f", got smallest_size={size}, image_size=32." in message
    assert "and what keras.applications has." in fail("resnet50")


def test_a_layer_that_the_network_lacks_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = dataclasses.replace(OWN_NETWORK, gradcam_layer="conv3")
    monkeypatch.setitem(BACKBONES, "two_blocks", entry)
    with pytest.raises(InputError) as error:
        build_classifier("two_blocks", 2, image_size=16, weights="none")
    assert "The entry of two_blocks must name layers that the network has" in str(
        error.value
    )
    assert ", got missing=['conv3']." in str(error.value)


def test_weights_that_no_entry_names_are_refused(own: str) -> None:
    model = OWN_NETWORK.build(
        include_top=False, weights=None, input_shape=(16, 16, 3), name="backbone"
    )
    with pytest.raises(InputError) as error:
        load_weights(model, own, "imagenet")
    assert "which has no ImageNet file, got 'imagenet'." in str(error.value)
    assert "Set backbone.weights to a file that you have" in str(error.value)
    with pytest.raises(InputError, match="file, got 'none.h5'. Set backbone.weights"):
        load_weights(model, own, "none.h5")


def test_a_name_and_a_size_are_checked_without_tensorflow() -> None:
    code = (
        "import sys; from gastric_keras.config.experiment import BackboneConfig; "
        "BackboneConfig('inception_v3', image_size=75); "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
