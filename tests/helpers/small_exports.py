"""An exported model whose answer can be reckoned by hand."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from gastric_keras.serving.graph import OperatingPoint, write_saved_model

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
