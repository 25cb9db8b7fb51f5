"""Bad requests to an exported model: what is no picture, too large, or one of many."""

from __future__ import annotations

import functools
import json
import random
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.kinds import Kind
from tests.faults.request_faults import FAULTS, SIDE, draw_array

#: Of a probability: pictures are decoded by one function, then go through one graph.
_TOLERANCE = 1e-4
#: The graph's own words, and TensorFlow's of damaged pictures.
SENSIBLE = re.compile(
    r"(?P<own>[^{}\n]* must [^{}\n]*, got [^\n]+\. \w[^\n]*)"
    r"|(?P<damaged>Invalid (PNG|JPEG)[^\n]{0,200})"
    r"|(?P<type>was expected to be an? \w+ tensor but is an? \w+ tensor)"
)
#: Goes to ``predict_array``; all others are bytes.
_ARRAYS = "arrays of other types, shapes, values"


@functools.cache
def _signatures() -> Any:
    """The model as a server loads it, once a worker."""
    import tensorflow as tf

    folder = Path(tempfile.mkdtemp(prefix="faults-export-")) / "1"
    write_small_export(folder)
    loaded = tf.saved_model.load(str(folder))
    return loaded.signatures, loaded


def write_small_export(folder: Path) -> None:
    """Export AlexNet at its smallest, so that each picture has another answer."""
    import keras

    from gastric_keras.models.classifier import build_classifier
    from gastric_keras.serving.graph import write_saved_model
    from gastric_keras.serving.operating_point import OperatingPoint

    keras.utils.set_random_seed(0)
    model = build_classifier("alexnet", 2, image_size=SIDE, weights="none")
    rng = np.random.default_rng(0)
    tints = rng.random((32, 1, 1, 3))
    patches = (rng.integers(0, 256, (32, SIDE, SIDE, 3)) * tints).astype(np.uint8)
    pooled = keras.Model(model.input, model.get_layer("pool").output)(patches)
    kernel, _ = model.get_layer("head").get_weights()
    # So that the answers spread over all of [0, 1].
    logits = np.asarray(pooled) @ (kernel[:, 1] - kernel[:, 0])
    kernel *= 1.5 / logits.std()
    bias = np.array([0, -logits.mean() * 1.5 / logits.std()], np.float32)
    model.get_layer("head").set_weights([kernel, bias])
    point = OperatingPoint(("benign", "malignant"), "malignant", 0.37, 1.9)
    write_saved_model(model, folder, point=point)


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault and write its request."""
    name = rng.choice([*sorted(FAULTS), _ARRAYS])
    if name == _ARRAYS:
        values, must = draw_array(rng)
        np.save(folder / "array.npy", values)
        (folder / "truth.json").write_text(json.dumps({"must": must}))
        return name
    pictures, truths, must = FAULTS[name](rng)
    for number, data in enumerate(pictures):
        (folder / f"picture-{number:03}").write_bytes(data)
        pixels = truths[number]
        if pixels is not None:
            np.save(folder / f"truth-{number:03}.npy", pixels)
    way = rng.choice(("serving_default", "serving_default", "features"))
    (folder / "truth.json").write_text(json.dumps({"must": must, "way": way}))
    return name


def read(folder: Path) -> None:
    """Ask the exported model, as TF Serving does."""
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    try:
        if (folder / "array.npy").is_file():
            _ask_array(np.load(folder / "array.npy"))
        else:
            _ask_pictures(folder, truth["way"])
    except InputError as error:
        assert truth["must"] != "right", f"refused: {error}"
        raise
    assert truth["must"] != "refused", "it was answered"


def _ask_pictures(folder: Path, way: str) -> None:
    import tensorflow as tf

    pictures = [path.read_bytes() for path in sorted(folder.glob("picture-*"))]
    batch = tf.constant(pictures, tf.string, shape=(len(pictures),))
    answer = _ask(way, image_bytes=batch)
    _check_answer(answer, len(pictures))
    for number in range(len(pictures)):
        path = folder / f"truth-{number:03}.npy"
        if path.is_file():
            _check_picture(answer, number, np.load(path))


def _ask_array(values: np.ndarray) -> None:
    """As a client sends it, whatever it holds."""
    import tensorflow as tf

    from gastric_keras.support.errors import InputError

    try:
        answer = _ask("predict_array", patch=tf.constant(values))
    except TypeError as error:
        # The signature's own check, before any of the graph is run.
        raise InputError(
            f"An array must be that of the signature, got {error}. Fix it."
        ) from error
    _check_answer(answer, len(values))


def _ask(way: str, **inputs: Any) -> dict[str, np.ndarray]:
    """Ask; what the graph refuses in sensible words is refused in the house's form."""
    import tensorflow as tf

    from gastric_keras.support.errors import InputError

    try:
        answer = _signatures()[0][way](**inputs)
    except tf.errors.InvalidArgumentError as error:
        found = SENSIBLE.search(str(error.message))
        if found is None:
            raise AssertionError(f"refused in words of no use: {error}") from error
        words = found["own"] or (
            "A request must hold whole pictures, or an array of the signature, got "
            f"{found['damaged'] or found['type']}. Fix it."
        )
        raise InputError(words) from error
    return {name: value.numpy() for name, value in answer.items()}


def _check_answer(answer: dict[str, np.ndarray], n: int) -> None:
    for name, values in answer.items():
        assert len(values) == n, f"{name} of {len(values)} for {n} pictures"
        if values.dtype.kind == "f":
            assert np.isfinite(values).all(), f"{name} is no number"
    if "malignant_probability" in answer:
        found = answer["malignant_probability"]
        called = np.where(found >= answer["threshold"], b"malignant", b"benign")
        assert answer["label"].tolist() == called.tolist(), "another call"


def _check_picture(
    answer: dict[str, np.ndarray], number: int, pixels: np.ndarray
) -> None:
    """The answer to a picture is that to its pixels, resized as in training."""
    import tensorflow as tf

    from gastric_keras.data.decode import resize

    if pixels.shape[:2] != (SIDE, SIDE):
        pixels = resize(tf.constant(pixels), SIDE).numpy()
    wanted = _ask("predict_array", patch=tf.constant(pixels[None]))
    for name in wanted.keys() & answer.keys():
        if wanted[name].dtype.kind == "f":
            difference = np.abs(wanted[name][0] - answer[name][number]).max()
            assert difference <= _TOLERANCE, f"{name} differs by {difference}"


KIND = Kind("requests", write, read, needs_tensorflow=True)
