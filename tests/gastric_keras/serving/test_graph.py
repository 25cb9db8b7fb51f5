"""What the exported graph computes and refuses, as TF Serving would run it."""

from __future__ import annotations

import resource
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import config_pb2

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.data.decode import decode
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.inference import build_forward
from gastric_keras.serving import graph as serving_graph
from gastric_keras.serving.graph import (
    MAX_PICTURES,
    MAX_PIXELS,
    write_saved_model,
)
from gastric_keras.serving.operating_point import OperatingPoint
from gastric_keras.statistics.calibration import apply_temperature
from tests.faults import pixel_files as files
from tests.faults.pixel_families import XMP
from tests.helpers.small_models import SMALL, draw_patches

POINT = OperatingPoint(("benign", "malignant"), "malignant", 0.37, 1.9)


def build_spread(
    backbone: str, pictures: list[bytes]
) -> tuple[keras.Model, np.ndarray]:
    """A small classifier with random weights that answers to each picture otherwise,
    and what it answers."""
    model = build_classifier(backbone, 2, image_size=SMALL[backbone], weights="none")
    pool = model.get_layer("pool").output
    # Traced once, as the weights of the head are variables.
    forward = build_forward(keras.Model(model.input, [pool, model.output]))
    patches = [decode(tf.constant(picture), SMALL[backbone]) for picture in pictures]
    features = forward(tf.stack(patches))[0].numpy()
    centered = features - features.mean(axis=0)
    direction = np.linalg.svd(centered, full_matrices=False)[2][0]
    direction *= 2 / (centered @ direction).std()
    kernel = np.stack([np.zeros_like(direction), direction], axis=1)
    bias = np.array([0, -(features @ direction).mean()], np.float32)
    model.get_layer("head").set_weights([kernel, bias])
    return model, forward(tf.stack(patches))[1].numpy()


def tinted(n: int, side: int) -> np.ndarray:
    """(n, side, side, 3) uint8: noise, each patch of another tint."""
    tints = np.random.default_rng(1).random((n, 1, 1, 3))
    return (draw_patches(n, side, side) * tints).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served") / "1"


@pytest.fixture(scope="module")
def pictures_of() -> dict[str, list[bytes]]:
    """For each network, 64 pictures a little larger than it takes."""
    return {
        name: [jpeg(patch) for patch in tinted(64, SMALL[name] + 9)]
        for name in BACKBONES
    }


@pytest.fixture(scope="module")
def alexnet(pictures_of: dict[str, list[bytes]]) -> tuple[keras.Model, np.ndarray]:
    return build_spread("alexnet", pictures_of["alexnet"])


@pytest.fixture(scope="module")
def served(
    folder: Path, alexnet: tuple[keras.Model, np.ndarray]
) -> tuple[keras.Model, Any]:
    """AlexNet, and it exported and loaded."""
    write_saved_model(alexnet[0], folder, point=POINT)
    return alexnet[0], tf.saved_model.load(str(folder))


def jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    return bytes(tf.io.encode_jpeg(pixels, **options).numpy())


def ask(loaded: Any, *pictures: bytes, signature: str = "serving_default") -> Any:
    answer = loaded.signatures[signature](image_bytes=tf.constant(list(pictures)))
    return {name: value.numpy() for name, value in answer.items()}


def in_session(folder: str, pictures: list[bytes]) -> dict[str, np.ndarray]:
    """Answers by way of a session and tensor names, the way of TF Serving."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        signature = graph.signature_def["serving_default"]
        outputs = {name: info.name for name, info in signature.outputs.items()}
        feed = {signature.inputs["image_bytes"].name: pictures}
        result: dict[str, np.ndarray] = session.run(outputs, feed)
        return result


def raw_call(session: Any, signature: Any, name: str) -> Any:
    """A signature without the check of shapes that Python's ``session.run`` makes."""
    options = config_pb2.CallableOptions(
        feed=[signature.inputs[name].name],
        fetch=[info.name for info in signature.outputs.values()],
    )
    return session._make_callable_from_options(options)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_served_equals_evaluated(
    backbone: str,
    pictures_of: dict[str, list[bytes]],
    alexnet: tuple[keras.Model, np.ndarray],
    served: tuple[keras.Model, Any],
    tmp_path: Path,
) -> None:
    """Each network has its own input range; one picture at a time and 64."""
    pictures = pictures_of[backbone]
    if backbone == "alexnet":
        raw, loaded = alexnet[1], served[1]
    else:
        model, raw = build_spread(backbone, pictures)
        write_saved_model(model, tmp_path / "1", point=POINT)
        loaded = tf.saved_model.load(str(tmp_path / "1"))
    assert raw[:, 1].std() > 0.1
    wanted = apply_temperature(raw, POINT.temperature)[:, 1]
    called = np.where(raw[:, 1] >= POINT.raw_threshold, b"malignant", b"benign")
    assert set(called) == {b"benign", b"malignant"}
    batch = ask(loaded, *pictures)
    single = [ask(loaded, picture) for picture in pictures[:8]]
    for found, n in (
        (batch, 64),
        ({k: np.concatenate([s[k] for s in single]) for k in batch}, 8),
    ):
        np.testing.assert_allclose(
            found["malignant_probability"], wanted[:n], atol=1e-5
        )
        np.testing.assert_allclose(found["raw_probabilities"], raw[:n], atol=1e-5)
        assert found["label"].tolist() == called[:n].tolist()
        # A client that compares for itself comes to the same call.
        positive = found["malignant_probability"] >= found["threshold"]
        assert (positive == (called[:n] == b"malignant")).all()


def test_features_are_what_the_head_reads(served: tuple[keras.Model, Any]) -> None:
    model, loaded = served
    pictures = [jpeg(p) for p in tinted(3, 63)]
    features = ask(loaded, *pictures, signature="features")["features"]
    kernel, bias = model.get_layer("head").get_weights()
    np.testing.assert_allclose(
        tf.nn.softmax(features @ kernel + bias),
        ask(loaded, *pictures)["raw_probabilities"],
        atol=1e-5,
    )


def test_a_session_answers_the_same(
    folder: Path, served: tuple[keras.Model, Any]
) -> None:
    pictures = [jpeg(patch) for patch in tinted(5, 80)]
    found, wanted = in_session(str(folder), pictures), ask(served[1], *pictures)
    assert found["label"].tolist() == wanted["label"].tolist()
    np.testing.assert_allclose(
        found["malignant_probability"], wanted["malignant_probability"], atol=1e-6
    )


def test_concurrent_calls_do_not_mix(served: tuple[keras.Model, Any]) -> None:
    _, loaded = served
    pictures = [jpeg(p) for p in tinted(24, 80)]
    wanted = ask(loaded, *pictures)["malignant_probability"]

    def answer(i: int) -> float:
        return float(ask(loaded, pictures[i], pictures[-i])["malignant_probability"][0])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(answer, [*range(24)] * 2))
    np.testing.assert_allclose(found, [*wanted, *wanted], atol=1e-5)


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1])


def pil_bytes(image: Image.Image, path: Path, kind: str) -> bytes:
    image.save(path, kind)
    return path.read_bytes()


def test_every_kind_of_jpeg_and_png_is_read_right(
    served: tuple[keras.Model, Any], tmp_path: Path
) -> None:
    _, loaded = served
    # Smooth, so that JPEG loses next to nothing.
    ramp = np.linspace(20, 220, 63).astype(np.uint8)
    rgb = np.stack(np.broadcast_arrays(ramp, ramp[:, None], ramp[::-1]), -1)
    gray = np.repeat(rgb.mean(-1, keepdims=True).astype(np.uint8), 3, -1)
    cases = {
        "png": (encoded(".png", rgb[..., ::-1]), rgb, 0),
        "16 bits": (encoded(".png", rgb[..., ::-1].astype(np.uint16) * 257), rgb, 0),
        "gray png": (encoded(".png", gray[..., 0]), gray, 0),
        "gray jpeg": (encoded(".jpg", gray[..., 0]), gray, 3),
        "jpeg": (jpeg(rgb, quality=98), rgb, 8),
        "progressive": (jpeg(rgb, quality=98, progressive=True), rgb, 8),
        "palette": (
            pil_bytes(Image.fromarray(gray).convert("P"), tmp_path / "p", "PNG"),
            np.asarray(Image.fromarray(gray).convert("P").convert("RGB")),
            0,
        ),
    }
    for name, (data, wanted, tolerance) in cases.items():
        pixels = decode(tf.constant(data), 63).numpy().astype(int)
        assert np.abs(pixels - wanted).max() <= tolerance, name
        given = loaded.signatures["predict_array"](patch=pixels[None].astype(np.uint8))
        np.testing.assert_allclose(
            ask(loaded, data)["raw_probabilities"],
            given["raw_probabilities"],
            atol=1e-5,
            err_msg=name,
        )


def gif(tmp_path: Path) -> bytes:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    return (tmp_path / "a.gif").read_bytes()


def huge_png(width: int, height: int) -> bytes:
    """A small PNG whose header says that it is huge."""
    data = bytearray(encoded(".png", np.zeros((9, 9, 3), np.uint8)))
    data[16:24] = struct.pack(">II", width, height)
    return bytes(data)


def huge_jpeg(width: int, height: int) -> bytes:
    data = bytearray(jpeg(np.zeros((9, 9, 3), np.uint8)))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bad_pictures(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    good = jpeg(tinted(1, 63)[0])
    png = encoded(".png", tinted(1, 63)[0])
    animated = {"save_all": True, "append_images": [Image.new("RGB", (9, 9))]}
    deep = np.ones((9, 9, 3), np.uint16)
    clear = files.png_chunk(b"tRNS", bytes(6))
    neither = r"image_bytes must be JPEG or PNG, got image_bytes\[1\] with "
    size = f"image_bytes must have at most {MAX_PIXELS} px each, got "
    return {
        "empty": (b"", neither + "0 bytes"),
        "text": (b"no picture at all, but some text", neither + "32 bytes"),
        "base64 left as it was": (b"/9j/4AAQSkZJRgABAQEASA", neither),
        "animated": (gif(tmp_path), neither),
        "bmp": (encoded(".bmp", np.zeros((9, 9, 3), np.uint8)), neither),
        "only the signature": (png[:8], neither + "8 bytes"),
        "only the header": (png[:24], "Invalid PNG"),
        "half a png": (png[: len(png) // 2], "Invalid PNG"),
        "half a jpeg": (good[: len(good) // 2], "Invalid JPEG"),
        "jpeg of nothing": (good[:20], "Invalid JPEG"),
        "huge png": (
            huge_png(30_000, 40_000),
            size + r"image_bytes\[1\] of 1200000000 px",
        ),
        "largest png": (huge_png(2**31 - 1, 2**31 - 1), size),
        "beyond png": (huge_png(2**32 - 1, 2**31), size),
        "png of nothing": (huge_png(0, 9), "Invalid PNG"),
        "cmyk": (
            pil_bytes(Image.new("CMYK", (9, 9)), tmp_path / "c", "JPEG"),
            r"RGB or gray, got image_bytes\[1\], a CMYK JPEG. Convert",
        ),
        "animated png": (
            files.encode(tinted(1, 9)[0], "PNG", **animated),
            r"one picture each, got image_bytes\[1\], an animated PNG. Save",
        ),
        "orientation in XMP": (
            files.with_segments(good, files.jpeg_segment(0xE1, XMP)),
            r"state its orientation in EXIF, got image_bytes\[1\] with XMP",
        ),
        "16 bits, a transparent color": (
            files.write_png(deep, bits=16, color=2, before=clear),
            r"no transparent color, got image_bytes\[1\] with a tRNS chunk",
        ),
        "huge jpeg": (
            huge_jpeg(60_000, 50_000),
            size + r"image_bytes\[1\] of 3000000000 px",
        ),
    }


def test_a_bad_picture_fails_its_request_and_is_named(
    served: tuple[keras.Model, Any], tmp_path: Path
) -> None:
    _, loaded = served
    good = jpeg(tinted(1, 63)[0])
    wanted = ask(loaded, good)["malignant_probability"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, (data, words) in bad_pictures(tmp_path).items():
        for signature in ("serving_default", "features"):
            with pytest.raises(tf.errors.InvalidArgumentError, match=words):
                ask(loaded, good, data, signature=signature)
                pytest.fail(name)
    # KB: nothing that the headers promise was ever asked for.
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 200_000
    assert ask(loaded, good)["malignant_probability"] == wanted


def test_a_request_of_none_or_too_many_is_refused(
    served: tuple[keras.Model, Any],
) -> None:
    _, loaded = served
    patch = jpeg(tinted(1, 63)[0])
    for n in (0, MAX_PICTURES + 1):
        words = f"image_bytes must hold 1 to {MAX_PICTURES} pictures, got {n}. Send"
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            pictures = tf.constant([patch] * n, tf.string)
            loaded.signatures["serving_default"](image_bytes=pictures)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"patch must hold .*, got {n}"
        ):
            patches = tf.zeros((n, 63, 63, 3), tf.uint8)
            loaded.signatures["predict_array"](patch=patches)


def test_a_shape_that_is_not_the_signature_s_is_refused(
    folder: Path, served: tuple[keras.Model, Any]
) -> None:
    """TensorFlow holds no request to its signature: a kernel that gets another rank
    ends the process. Both ways in, the latter that of TF Serving."""
    _, loaded = served
    wrong = {
        "patch": [(63, 63, 3), (1, 63, 63, 1), (3, 62, 63, 3), (63,), ()],
        "image_bytes": [(), (2, 3), (1, 1)],
    }
    dtypes = {"patch": np.uint8, "image_bytes": object}
    for name, shapes in wrong.items():
        way = "predict_array" if name == "patch" else "serving_default"
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            graph = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
            signature = graph.signature_def[way]
            ask = raw_call(session, signature, name)
            for shape in shapes:
                words = rf"{name} must have the shape \(.*\), got \[.*\]. Send it"
                given = np.full(shape, 0 if name == "patch" else b"", dtypes[name])
                with pytest.raises(tf.errors.InvalidArgumentError, match=words):
                    ask(given)
        for shape in shapes:
            given = tf.zeros(shape, tf.uint8 if name == "patch" else tf.string)
            with pytest.raises(
                tf.errors.InvalidArgumentError, match="must have the shape"
            ):
                loaded.signatures[way](**{name: given})


def test_the_largest_picture_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_graph, "MAX_PIXELS", 80 * 90)
    picture = np.zeros((80, 90, 3), np.uint8)
    for data in (jpeg(picture), encoded(".png", picture)):
        assert serving_graph.decode_all(tf.constant([data]), 63).shape == (1, 63, 63, 3)
    monkeypatch.setattr(serving_graph, "MAX_PIXELS", 80 * 90 - 1)
    for data in (jpeg(picture), encoded(".png", picture)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="of 7200 px"):
            serving_graph.decode_all(tf.constant([data]), 63)
