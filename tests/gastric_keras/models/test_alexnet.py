"""AlexNet against torchvision's own answers, and against the formulas in NumPy."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from gastric_keras.models.alexnet import AlexNet, preprocess_input
from gastric_keras.models.torch_files import assign_torch
from gastric_keras.support.errors import InputError
from tests.golden.make_alexnet import SIZES, draw_picture
from tests.helpers.paths import REPOSITORY
from tests.helpers.torch_zip import write_state

GOLDEN = REPOSITORY / "tests" / "golden" / "alexnet.npz"
WEIGHTS = "alexnet_imagenet_features.pth"

#: torchvision's features.N -> (channels in, channels out, kernel, stride, padding).
CONVOLUTIONS = {
    "features.0": (3, 64, 11, 4, 2),
    "features.3": (64, 192, 5, 1, 2),
    "features.6": (192, 384, 3, 1, 1),
    "features.8": (384, 256, 3, 1, 1),
    "features.10": (256, 256, 3, 1, 1),
}


def make_state(seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights of the five convolutions, OIHW, that keep the signal's size."""
    rng = np.random.default_rng(seed)
    state = {}
    for name, (inside, out, kernel, _, _) in CONVOLUTIONS.items():
        scale = (2.0 / (inside * kernel * kernel)) ** 0.5
        weight = rng.normal(0, scale, (out, inside, kernel, kernel))
        state[f"{name}.weight"] = weight.astype(np.float32)
        state[f"{name}.bias"] = rng.normal(0.1, 0.1, out).astype(np.float32)
    return state


def reference_features(x: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
    """The network in NumPy, channel first as PyTorch has it: (3, h, w) -> (256, …)."""

    def windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
        view = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
        return view[:, ::stride, ::stride]

    for name, (_, _, kernel, stride, pad) in CONVOLUTIONS.items():
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        x = np.tensordot(
            state[f"{name}.weight"],
            windows(x, kernel, stride),
            axes=((1, 2, 3), (0, 3, 4)),
        )
        x = np.maximum(x + state[f"{name}.bias"][:, None, None], 0)
        if name in ("features.0", "features.3", "features.10"):
            x = windows(x, 3, 2).max(axis=(3, 4))
    return x


@pytest.mark.shared
@pytest.mark.parametrize("size", SIZES)
def test_features_equal_torchvision(size: str, shared_weights: Path) -> None:
    height, width, step = SIZES[size]
    network = AlexNet(False, str(shared_weights / WEIGHTS), None, (height, width, 3))
    picture = preprocess_input(draw_picture(height, width)[None].astype(np.float32))
    features = np.asarray(network(picture))[0]
    with np.load(GOLDEN) as golden:
        expected = golden[size]
    assert expected.max() > 10
    np.testing.assert_allclose(features[..., ::step], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("height, width", [(63, 79), (95, 64)])
def test_geometry_equals_the_formulas(height: int, width: int) -> None:
    state = make_state()
    network = AlexNet(False, None, input_shape=(height, width, 3))
    assign_torch(network, state, "here")
    x = np.random.default_rng(1).normal(0, 1, (height, width, 3)).astype(np.float32)
    expected = reference_features(x.transpose(2, 0, 1), state).transpose(1, 2, 0)
    features = np.asarray(network(x[None]))[0]
    assert features.shape == expected.shape and expected.std() > 0.1
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4)


def test_full_file_with_classifier() -> None:
    """Dense units that each pick one number of the flattened features, by torch's
    index channel·36 + y·6 + x, find it where Keras has it."""
    state = make_state()
    rng = np.random.default_rng(2)
    channel, y, x = rng.integers(0, (256, 6, 6), (200, 3)).T
    state["classifier.1.weight"] = np.zeros((4096, 256 * 36), np.float32)
    state["classifier.1.weight"][np.arange(200), channel * 36 + y * 6 + x] = 1
    state["classifier.1.bias"] = np.zeros(4096, np.float32)
    for layer, size in {"4": 4096, "6": 200}.items():
        state[f"classifier.{layer}.weight"] = np.eye(size, 4096, dtype=np.float32)
        state[f"classifier.{layer}.bias"] = np.zeros(size, np.float32)
    network = AlexNet(True, None, classes=200, classifier_activation=None)
    assert network.output_shape == (None, 200)
    assign_torch(network, state, "here")
    both = keras.Model(
        network.input, [network.get_layer("pool5").output, *network.outputs]
    )
    features, picked = both(rng.normal(0, 1, (1, 224, 224, 3)).astype(np.float32))
    expected = np.asarray(features)[0, y, x, channel]
    assert len(set(expected.round(3))) > 50
    np.testing.assert_allclose(np.asarray(picked)[0], expected, rtol=0, atol=1e-5)
    with pytest.raises(InputError, match=r"without \['classifier.1.weight', "):
        assign_torch(network, make_state(), "here")

    # The same file fills a network without its top.
    bare = AlexNet(False, None)
    assign_torch(bare, state, "here")
    np.testing.assert_array_equal(
        bare.get_layer("conv5").kernel, network.get_layer("conv5").kernel
    )


def test_weights_path_of_a_partial_file(tmp_path: Path) -> None:
    path = write_state(tmp_path / "alexnet.pth", make_state())
    network = AlexNet(False, str(path), None, (63, 63, 3))
    kernel = network.get_layer("conv2").kernel
    np.testing.assert_array_equal(
        np.asarray(kernel)[4, 1, 7, 9], make_state()["features.3.weight"][9, 7, 4, 1]
    )


@pytest.mark.parametrize(
    "arguments, shape",
    [
        ({"input_shape": (63, 95, 3)}, (None, 1, 2, 256)),
        ({"pooling": "avg"}, (None, 256)),
        ({"pooling": "max"}, (None, 256)),
        ({}, (None, 6, 6, 256)),
        ({"input_shape": [64, 64, 3], "name": "backbone"}, (None, 1, 1, 256)),
    ],
)
def test_output_shapes_without_top(arguments: dict, shape: tuple) -> None:
    network = AlexNet(include_top=False, weights=None, **arguments)
    assert network.output_shape == shape
    assert network.name == arguments.get("name", "alexnet")


def test_pooling_is_that_of_its_name() -> None:
    x = np.random.default_rng(3).normal(0, 1, (2, 95, 95, 3)).astype(np.float32)
    bare, mean, largest = (
        AlexNet(False, None, input_shape=(95, 95, 3), pooling=pooling)
        for pooling in (None, "avg", "max")
    )
    for other in (mean, largest):
        other.set_weights(bare.get_weights())
    features = np.asarray(bare(x))
    np.testing.assert_allclose(mean(x), features.mean((1, 2)), atol=1e-6)
    np.testing.assert_allclose(largest(x), features.max((1, 2)), atol=1e-6)


def test_input_tensor_is_taken() -> None:
    inputs = keras.Input((63, 63, 3))
    network = AlexNet(False, None, input_tensor=inputs * 2.0, input_shape=(63, 63, 3))
    plain = AlexNet(False, None, input_shape=(63, 63, 3))
    plain.set_weights(network.get_weights())
    x = np.ones((1, 63, 63, 3), np.float32)
    np.testing.assert_allclose(network(x), plain(2 * x), atol=1e-6)


@pytest.mark.parametrize(
    "top, shape, wanted",
    [(False, (62, 90, 3), "at least 63"), (True, (227, 227, 3), "224 px")],
)
def test_wrong_size_is_refused(top: bool, shape: tuple, wanted: str) -> None:
    with pytest.raises(InputError) as error:
        AlexNet(top, None, input_shape=shape)
    assert wanted in str(error.value)
    assert f", got input_shape={shape}, include_top={top}." in str(error.value)


def test_preprocessing_by_hand() -> None:
    rgb = np.array([[[0.0, 127.5, 255.0]]], np.float32)
    expected = [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(preprocess_input(rgb)[0, 0], expected, rtol=1e-6)
