"""The patches that stage visualize looks at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.data.decode import decode
from gastric_keras.records.schema import PatchRecord, read_records
from gastric_keras.runs.predictions import Predictions
from gastric_keras.support.errors import InputError

#: Wrong calls that are shown, each of another case.
ERRORS = 6


@dataclass(frozen=True)
class View:
    """A patch to look at.

    Attributes:
        name: for the file, of letters, digits, '.', '_' and '-'.
        title: for the plot.
        text: for a sentence, such as "a benign test patch of case 7".
        place: where in which image it lies, in brackets; "" where that is all of it.
        pixels: (h, w, 3) uint8, of the model's size.
        is_error: it is one of the hardest errors, without filter responses.
    """

    name: str
    title: str
    text: str
    pixels: np.ndarray
    place: str = ""
    is_error: bool = False


def read_test_views(
    config: ExperimentConfig, test: Predictions, *, threshold: float | None
) -> list[View]:
    """The first test patch of each class, then the hardest errors.

    Args:
        config: of the run.
        test: predictions of the test split.
        threshold: from the validation split; None: more than two classes.

    Raises:
        InputError: the test split is not the one that the predictions are of.
    """
    classes = config.target.classes
    firsts = {
        int(np.argmax(test.label == label)): name
        for label, name in enumerate(classes)
        if (test.label == label).any()
    }
    errors = test.hardest_errors(config.target.positive, threshold, most=ERRORS)
    records = _read_test(config, test, {*firsts, *errors})
    size = config.backbone.image_size
    views = []
    for index, name in [*firsts.items(), *((i, None) for i in errors)]:
        record = records[index]
        truth = classes[record.label]
        case = f"case {record.case_id}"
        views.append(
            View(
                name=_file_name(name or f"error_{errors.index(index) + 1}"),
                title=name or f"{case}: {truth}",
                text=f"a {truth} test patch of {case}",
                place=f" (image {record.image_id}, x {record.x}, y {record.y})",
                pixels=decode(record.image, size).numpy(),
                is_error=name is None,
            )
        )
    return views


def _read_test(
    config: ExperimentConfig, test: Predictions, wanted: set[int]
) -> dict[int, PatchRecord]:
    """Test records by their row in the predictions."""
    found = {}
    for index, record in enumerate(read_records(config.target.records, "test")):
        if index in wanted:
            keys = (record.case_id, record.image_id, record.x, record.y, record.label)
            columns = (test.case_id, test.image_id, test.x, test.y, test.label)
            if keys == tuple(column[index] for column in columns):
                found[index] = record
    if len(found) < len(wanted):
        raise InputError(
            "The test split must be the one that was predicted, got "
            f"{config.target.records} with {len(wanted) - len(found)} of {len(wanted)} "
            "patches not in their place. Run --stage evaluate --force."
        )
    return found


def read_own_views(config: ExperimentConfig, images: Sequence[str]) -> list[View]:
    """Your pictures, resized to the model's side.

    Args:
        config: of the run.
        images: paths.

    Raises:
        InputError: a picture cannot be read.
    """
    views: dict[str, View] = {}
    for path in images:
        try:
            data = Path(path).read_bytes()
            pixels = decode(data, config.backbone.image_size).numpy()
        except (OSError, tf.errors.InvalidArgumentError) as error:
            raise InputError(
                "--images takes PNG, JPEG or BMP pictures, "
                f"got {path} ({str(error).splitlines()[0]}). "
                "Convert it, or fix the path."
            ) from error
        stem = name = _file_name(Path(path).stem)
        while name in views:
            name = f"{stem}-{len(views) + 1}"
        title = Path(path).name
        views[name] = View(name, title, f"the picture {title}", pixels)
    return list(views.values())


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]", "_", text)
