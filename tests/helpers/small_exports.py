"""An exported model whose answer can be reckoned by hand."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from gastric_keras.serving.class_point import ClassPoint
from gastric_keras.serving.graph import write_saved_model
from gastric_keras.serving.operating_point import OperatingPoint

SIZE, THRESHOLD = 8, 0.5
#: The more red, the more malignant: logit = SLOPE · (mean of red / 255 - 0.5).
SLOPE = 10.0


def write_red_model(
    folder: Path,
    *,
    metadata: object = None,
    slope: float = SLOPE,
    normalization: str | None = None,
) -> Path:
    """Export a model of 8 px patches that looks at nothing but the mean of red."""
    dense = keras.layers.Dense(2, activation="softmax")
    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, dense(x))
    kernel = np.zeros((3, 2), np.float32)
    kernel[0, 1] = slope
    dense.set_weights([kernel, np.array([0, -slope / 2], np.float32)])
    classes = ("benign", "malignant")
    point = OperatingPoint(classes, "malignant", THRESHOLD, temperature=1.0)
    write_saved_model(model, folder, point=point, normalization=normalization)
    if metadata is not None:
        (folder / "assets").mkdir(exist_ok=True)
        (folder / "assets" / "metadata.json").write_text(json.dumps(metadata))
    return folder


def answer_of(patch: npt.NDArray[np.uint8]) -> float:
    """What that model says of a patch of any size."""
    red = patch[..., 0].mean() / 255
    return float(1 / (1 + np.exp(-SLOPE * (red - 0.5))))


#: Of the model of several classes; a patch is of the class of its strongest channel.
COLORS = ("red", "green", "blue")


#: That its probabilities are scaled by.
TEMPERATURE = 2.0


@functools.cache
def color_export() -> Path:
    """Export a model of three classes that looks at the mean of each channel alone.

    Once a process; to be copied before it is changed.
    """
    dense = keras.layers.Dense(3, activation="softmax", use_bias=False)
    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, dense(x))
    dense.set_weights([SLOPE * np.eye(3, dtype=np.float32)])
    folder = Path(tempfile.mkdtemp(prefix="three-classes-")) / "export" / "1"
    write_saved_model(model, folder, point=ClassPoint(COLORS, TEMPERATURE))
    (folder / "assets").mkdir(exist_ok=True)
    metadata = {"classes": COLORS, "patch_size": SIZE, "case_calls": None}
    (folder / "assets" / "metadata.json").write_text(json.dumps(metadata))
    return folder


def raw_colors_of(patch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The raw probabilities of that model for a patch of any size, (3,)."""
    e = np.exp(SLOPE * patch.mean(axis=(0, 1)) / 255)
    return np.asarray(e / e.sum())
