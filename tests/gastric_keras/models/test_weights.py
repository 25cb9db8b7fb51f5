"""Weights files: what is read, and what each refusal tells the user to do."""

from __future__ import annotations

import dataclasses
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import applications

from gastric_keras.config import backbone
from gastric_keras.config.backbones import BACKBONES, WeightsFile
from gastric_keras.models import weights
from gastric_keras.models.alexnet import AlexNet
from gastric_keras.models.torch_files import assign_torch, read_torch_state
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of
from tests.gastric_keras.models.test_alexnet import make_state
from tests.helpers.small_models import SMALL
from tests.helpers.torch_zip import write_state, write_zip

KERAS_NAMES = {"vgg16": "VGG16", "inception_v3": "InceptionV3"}
FIRST = {"vgg16": "block1", "inception_v3": "stem"}


def build(name: str) -> keras.Model:
    shape = (SMALL[name], SMALL[name], 3)
    return BACKBONES[name].build(
        include_top=False, weights=None, input_shape=shape, name="backbone"
    )


@pytest.fixture(scope="module")
def alexnet() -> keras.Model:
    return build("alexnet")


@pytest.fixture(scope="module")
def vgg16() -> keras.Model:
    return build("vgg16")


def official_file(name: str) -> WeightsFile:
    source = BACKBONES[name].imagenet
    assert source is not None
    return source


def fail(function: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as error:
        function(*arguments)
    return str(error.value)


# --- PyTorch files -------------------------------------------------------------------


def test_read_torch_state(tmp_path: Path) -> None:
    state = {
        "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "a.scalar": np.array(7, np.float32),
        "a.flat": np.ones((1, 5), np.float32),
    }
    found = read_torch_state(write_state(tmp_path / "state.pth", state))
    assert list(found) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == np.float32


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    pickled = pickle.dumps({"a": Hostile(f"touch {evidence}")})
    # It works: what is refused below would have run.
    pickle.loads(pickled)
    assert evidence.exists()
    evidence.unlink()
    path = write_zip(tmp_path / "hostile.pth", pickled, {})
    message = fail(read_torch_state, path)
    assert not evidence.exists()
    assert f", got {path}: it asks for {os.system.__module__}.system" in message
    assert "which is not allowed. Take the official torchvision file." in message


@pytest.mark.parametrize(
    "name", ["builtins\neval", "torch\nload", "collections\nCounter", "numpy\nload"]
)
def test_any_other_global_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "x.pth", f"c{name}\n.".encode(), {})
    asked = name.replace("\n", ".")
    assert f"it asks for {asked}, which is not" in fail(read_torch_state, path)


def test_damaged_files(tmp_path: Path) -> None:
    path = write_state(tmp_path / "state.pth", {"a": np.ones(1000, np.float32)})
    whole = path.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 1
    for content, reason in {
        whole[:-100]: "File is not a zip file",
        bytes(middle): "Bad CRC-32",
        b"": "File is not a zip file",
    }.items():
        path.write_bytes(content)
        message = fail(read_torch_state, path)
        assert message.startswith("The file must be a PyTorch state dict in zip layout")
        assert f", got {path}: {reason}" in message


def test_a_storage_that_is_cut_short(tmp_path: Path) -> None:
    path = write_state(tmp_path / "whole.pth", {"a": np.ones(9, np.float32)})
    pickled = path.read_bytes()
    start = pickled.index(b"\x80\x02")
    path = write_zip(
        tmp_path / "cut.pth", pickled[start:], {"0": np.ones(8, "f4").tobytes()}
    )
    assert "storage 0 is cut short" in fail(read_torch_state, path)


def test_a_tensor_that_is_not_contiguous(tmp_path: Path) -> None:
    turned = np.ones((3, 4), np.float32).T
    path = write_state(tmp_path / "turned.pth", {"a": turned})
    message = fail(read_torch_state, path)
    assert "a tensor is not contiguous in its storage" in message


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pth", b"", {})
    path.write_bytes(path.read_bytes().replace(b"data.pkl", b"data.txt"))
    assert "there is no data.pkl in it" in fail(read_torch_state, path)


@pytest.mark.parametrize(
    "value, kind", [([1, 2], "list"), ({"a": 1}, "dict"), ({"a": {}}, "dict")]
)
def test_a_pickle_of_something_else(tmp_path: Path, value: object, kind: str) -> None:
    path = write_zip(tmp_path / "x.pth", pickle.dumps(value), {})
    message = fail(read_torch_state, path)
    assert "The file must hold a PyTorch state dict of tensors, got" in message
    assert f", got {path}, which holds {kind}. Save it with torch.save" in message


def test_torch_weights_of_other_shapes(alexnet: keras.Model) -> None:
    shapes = r"of conv3 must have the shapes \[\(3, 3, 192, 384\), \(384,\)\], got"
    state = make_state()
    for weight in (np.ones((384, 192, 5, 5)), np.ones((2, 9216)), np.ones(3)):
        state["features.6.weight"] = weight.astype(np.float32)
        with pytest.raises(InputError, match=shapes):
            assign_torch(alexnet, state, "file.pth")
    message = fail(assign_torch, alexnet, state, "file.pth")
    assert ", got file.pth with [(3,), (384,)]. Take the file" in message


def test_torch_weights_of_another_network(
    alexnet: keras.Model, vgg16: keras.Model
) -> None:
    state = make_state()
    del state["features.8.bias"]
    state["layer1.0.conv1.weight"] = np.ones(1, np.float32)
    message = fail(assign_torch, alexnet, state, "file.pth")
    assert "layers conv1, conv2, conv3, conv4, conv5, got" in message
    assert ", got file.pth without ['features.8.bias'] and with" in message
    assert "unknown ['layer1.0.conv1.weight']. Take https://" in message
    message = fail(assign_torch, vgg16, make_state(), "file.pth")
    assert "weights for the layers of AlexNet, got" in message


# --- Keras files ---------------------------------------------------------------------


def test_none_leaves_a_network_as_it_is(alexnet: keras.Model) -> None:
    before = alexnet.get_weights()
    weights.load_weights(alexnet, "alexnet", "none")
    for old, new in zip(before, alexnet.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_own_keras_file_round_trip(tmp_path: Path, alexnet: keras.Model) -> None:
    path = tmp_path / "own.weights.h5"
    alexnet.save_weights(path)
    other = AlexNet(False, str(path), None, (63, 63, 3))
    for old, new in zip(alexnet.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.fixture(scope="module")
def pairs() -> dict[str, tuple[keras.Model, keras.Model]]:
    """Ours, and the one of keras.applications."""
    return {
        name: (
            build(name),
            getattr(applications, official)(
                include_top=False,
                weights=None,
                input_shape=(SMALL[name], SMALL[name], 3),
            ),
        )
        for name, official in KERAS_NAMES.items()
    }


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_an_official_keras_file_fills_our_network(
    tmp_path: Path, pairs: dict[str, tuple[keras.Model, keras.Model]], name: str
) -> None:
    """Keras 2 files, as published, are read by position: ours must have the layers in
    Keras' own order."""
    ours, theirs = pairs[name]
    rng = np.random.default_rng(0)
    for weight in theirs.weights:
        shift = rng.uniform(0.5, 1.5)
        weight.assign(weight + shift if weight.ndim == 1 else weight * shift)
    path = tmp_path / "official.h5"
    save_as_keras_2(theirs, path)
    weights.load_weights(ours, name, str(path))
    compare_by_place(ours, theirs)
    x = rng.normal(0, 1, (1, *theirs.input_shape[1:])).astype(np.float32)
    expected = np.asarray(theirs(x))
    assert expected.std() > 0
    np.testing.assert_allclose(ours(x), expected, rtol=0, atol=1e-5 * expected.max())


def compare_by_place(ours: keras.Model, theirs: keras.Model) -> None:
    expected = {renumber(weight.path, theirs): weight for weight in theirs.weights}
    found = {renumber(weight.path, ours): weight for weight in ours.weights}
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        np.testing.assert_array_equal(weight, expected[name], name)


def renumber(path: str, model: keras.Model) -> str:
    """``conv2d_97/kernel`` -> ``conv2d 3 kernel``, its place among its kind."""
    layer, _, name = path.partition("/")
    kind = type(model.get_layer(layer)).__name__
    same = [each.name for each in model.layers if type(each).__name__ == kind]
    return f"{kind} {same.index(layer)} {name}"


def save_as_keras_2(model: keras.Model, path: Path) -> None:
    """The layout of the files that keras.applications downloads."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{i}:0".encode() for i in range(len(layer.weights))]
            group.attrs["weight_names"] = names
            for key, weight in zip(names, layer.weights, strict=True):
                group[key.decode()] = weight.numpy()


def test_keras_files_that_do_not_fit(
    tmp_path: Path, alexnet: keras.Model, vgg16: keras.Model
) -> None:
    other = tmp_path / "alexnet.weights.h5"
    alexnet.save_weights(other)
    cut = tmp_path / "cut.weights.h5"
    cut.write_bytes(other.read_bytes()[:5000])
    old = tmp_path / "alexnet.h5"
    save_as_keras_2(alexnet, old)
    text = tmp_path / "words.txt"
    text.write_text("no weights")
    empty = tmp_path / "empty.h5"
    h5py.File(empty, "w").close()
    for path in (other, cut, old, text, empty):
        message = fail(weights.load_weights, vgg16, "vgg16", str(path))
        assert message.startswith(
            "The file must be a Keras weights file of vgg16 without its top, got "
            f"{path}: "
        )
        assert "tf_dim_ordering_tf_kernels_notop.h5 (MD5 6d6bbae1" in message


# --- where there is no file ----------------------------------------------------------


@pytest.mark.parametrize("name", BACKBONES)
def test_a_path_that_is_not_there(
    tmp_path: Path, alexnet: keras.Model, name: str
) -> None:
    source = official_file(name)
    for path in (tmp_path / "none.h5", tmp_path):
        message = fail(weights.load_weights, alexnet, name, str(path))
        assert f", got '{path}'. Fetch {source.url} (" in message
        assert source.checksum in message and f"put it at {source.path}" in message
        assert "weights must be imagenet, none, or the path" in message


@pytest.mark.parametrize("name", BACKBONES)
def test_imagenet_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alexnet: keras.Model, name: str
) -> None:
    asked: dict[str, Any] = {}

    def get_file(fname: str, origin: str, **options: Any) -> str:
        asked.update(options, fname=fname, origin=origin)
        raise OSError("no route to host")

    monkeypatch.setattr(backbone, "_KERAS_HOME", tmp_path)
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    source = official_file(name)
    message = fail(weights.load_weights, alexnet, name, "imagenet")
    assert message.startswith(f"The ImageNet weights of {name} must be in the cache")
    assert ", got neither (no route to host)." in message
    assert f"Fetch {source.url} (" in message and source.checksum in message
    kind = "SHA-256 beginning" if name == "alexnet" else "MD5"
    assert f"({kind} {source.checksum})" in message
    assert f"put it at {tmp_path / 'models' / source.file}" in message
    # Keras looks for the file where the message says to put it.
    assert (asked["fname"], asked["origin"]) == (source.file, source.url)
    assert asked["cache_subdir"] == "models"


def test_imagenet_out_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alexnet: keras.Model
) -> None:
    def get_file(*_: Any, **__: Any) -> str:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(backbone, "_KERAS_HOME", tmp_path)
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    path = official_file("alexnet").path
    path.parent.mkdir()
    write_state(path, make_state(5))
    damaged = fail(weights.load_weights, alexnet, "alexnet", "imagenet")
    assert "must have the checksum 7be5be79, got" in damaged
    assert f", got {path} with {sha256_of(path)}. Delete that file." in damaged
    official = dataclasses.replace(
        official_file("alexnet"), checksum=sha256_of(path)[:8]
    )
    entry = dataclasses.replace(BACKBONES["alexnet"], imagenet=official)
    monkeypatch.setitem(BACKBONES, "alexnet", entry)
    weights.load_weights(alexnet, "alexnet", "imagenet")
    np.testing.assert_array_equal(
        np.asarray(alexnet.get_layer("conv1").kernel).transpose(3, 2, 0, 1),
        make_state(5)["features.0.weight"],
    )


def test_the_cache_is_where_keras_has_it() -> None:
    home = keras.src.backend.config.keras_home()
    for name in BACKBONES:
        source = official_file(name)
        assert source.path == Path(home).expanduser() / "models" / source.file
        assert source.url.endswith(source.file), name


# --- real files ----------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    "name, file",
    [
        ("vgg16", "vgg16_imagenet_notop.weights.h5"),
        ("inception_v3", "inception_v3_imagenet_2015_notop.weights.h5"),
    ],
)
def test_real_keras_files(
    name: str,
    file: str,
    pairs: dict[str, tuple[keras.Model, keras.Model]],
    shared_weights: Path,
) -> None:
    """Ours holds what keras.applications holds with the same file."""
    path = str(shared_weights / file)
    ours, theirs = pairs[name]
    theirs.load_weights(path)
    weights.load_weights(ours, name, path)
    compare_by_place(ours, theirs)
    # ImageNet's kernels, and not what the networks held before.
    first = ours.get_layer(BACKBONES[name].first_convolutions[FIRST[name]]).kernel
    assert np.abs(first).max() > 0.3


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="conv1")(inputs))
    kernel = np.zeros((2, 3, 3, 3), np.float32)
    kernel[0, 0, 0, 0] = np.nan
    state = {"features.0.weight": kernel, "features.0.bias": np.zeros(2, np.float32)}
    with pytest.raises(InputError) as error:
        assign_torch(model, state, "a.pth")
    assert "The weights of conv1 must be finite, got a.pth with" in str(error.value)
    model.set_weights([np.full((3, 3, 3, 2), np.inf), np.zeros(2)])
    path = tmp_path / "a.weights.h5"
    model.save_weights(path)
    with pytest.raises(InputError, match="a weight is NaN or infinite. Take another."):
        weights.load_file(model, path, wanted="a file", way_out="Take another.")


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(1_000_000))
    with pytest.raises(InputError, match="a/data.pkl is compressed. Take the official"):
        read_torch_state(path)
