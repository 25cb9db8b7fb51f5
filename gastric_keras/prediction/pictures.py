"""Pictures that are one patch each: decoded beside the network, kept in whole parts.

A part is some thousand pictures. Its name is the checksum of all that decides it, so
that a part that is there is right, whatever was changed or killed since.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gastric_keras.config.predict import PredictConfig
from gastric_keras.data.decode import fit
from gastric_keras.heatmap.inference import (
    Clock,
    Speed,
    answer_cells,
    answer_columns,
    answers,
)
from gastric_keras.heatmap.matching import stain_method
from gastric_keras.imaging.normalization import fit_picture, normalize
from gastric_keras.imaging.slides import open_picture
from gastric_keras.prediction.inputs import Input
from gastric_keras.records.spelling import spelled
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_csv
from gastric_keras.support.progress import with_progress

#: Pictures of a part, at least: what a kill can cost.
_PART = 1024
#: Rises with what a part holds.
_FORMAT = 1
_NOT_FITTED = "read as they are, since their stain cannot be told"
_UNREADABLE = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class Seen:
    """What reading a picture showed.

    Attributes:
        width: px; 0: not read.
        height: px.
        fault: why it was not read; "": it was.
        notes: what was assumed of its pixels.
    """

    width: int
    height: int
    fault: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """Some pictures, and the file of their answers."""

    path: Path
    inputs: tuple[Input, ...]


def parts_of(
    inputs: Sequence[Input],
    model: ExportedModel,
    folder: Path,
    *,
    batch_size: int,
) -> list[Part]:
    """Divide pictures into parts.

    Args:
        inputs: the pictures, in order.
        model: that they are for.
        folder: of the parts.
        batch_size: patches at once; batches never span two parts, so that a part is
            the same to the bit wherever a run was resumed.
    """
    step = -(-_PART // batch_size) * batch_size
    made_of = [_FORMAT, model.checksum, model.normalization, _side(model), batch_size]
    parts = []
    for start in range(0, len(inputs), step):
        chunk = tuple(inputs[start : start + step])
        text = json.dumps([made_of, [state_of(each.path) for each in chunk]])
        name = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        parts.append(Part(folder / f"{name[:32]}.csv", chunk))
    return parts


def state_of(path: Path) -> list[str | int]:
    """What tells whether a file was changed: path, bytes, time."""
    try:
        stat = path.stat()
    except OSError:
        return [str(path)]
    return [str(path), stat.st_size, stat.st_mtime_ns]


def predict_parts(
    parts: Sequence[Part], model: ExportedModel, config: PredictConfig
) -> Speed | None:
    """Write the parts that are not there.

    Args:
        parts: of :func:`parts_of`.
        model: the model.
        config: batches and readers.

    Returns:
        How fast; None where all were there.

    Raises:
        InputError: the model fails, contradicts itself or answers with NaN.
    """
    missing = [part for part in parts if not part.path.is_file()]
    if not missing:
        return None
    paths = [each.path for part in missing for each in part.inputs]
    clock = Clock(model, min(config.batch_size, len(paths)))
    batches = _batches(paths, model, config)
    total = -(-len(paths) // config.batch_size)
    waiting, rows = iter(missing), list[tuple[object, ...]]()
    part = next(waiting)
    clock.start()
    with closing(batches):
        counted = with_progress(batches, total, "predict", unit="batches")
        for seen, found in answers(model, counted):
            for each, cells in zip(seen, answer_cells(found), strict=True):
                blank = ("",) * len(cells)
                rows.append(
                    (
                        each.width,
                        each.height,
                        *(blank if each.fault else cells),
                        each.fault,
                        "\n".join(each.notes),
                    )
                )
            if len(rows) == len(part.inputs):
                write_csv(part.path, _columns(model), rows)
                rows.clear()
                part = next(waiting, part)
    return clock.stop(len(paths))


def read_part(part: Part, model: ExportedModel) -> Iterator[tuple[Seen, list[str]]]:
    """What was seen of each picture of a part, and the cells of its answer.

    Args:
        part: that is there.
        model: the model.

    Raises:
        InputError: the file was changed by hand.
    """
    with open(part.path, encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream)) or [[]]
    if header != _columns(model) or len(rows) != len(part.inputs):
        raise InputError(
            f"A part must hold the answers to {len(part.inputs)} pictures, got "
            f"{part.path} with {len(rows)} rows. Delete it and run the command again."
        )
    for width, height, *cells, fault, notes in rows:
        said = tuple(notes.split("\n")) if notes else ()
        yield Seen(int(width), int(height), fault, said), cells


def _columns(model: ExportedModel) -> list[str]:
    return ["width", "height", *answer_columns(model), "fault", "notes"]


def _side(model: ExportedModel) -> int | None:
    """Side of the training patches, px; None where they differed or it is not told."""
    return model.metadata.get("patch_size") or None


def _batches(
    paths: Sequence[Path], model: ExportedModel, config: PredictConfig
) -> Generator[tuple[list[Seen], tf.Tensor], None, None]:
    """Pictures in order, decoded in threads ahead of their use."""
    readers = config.readers or os.cpu_count() or 1
    side, method, seen = _side(model), stain_method(model), dict[int, Seen]()

    def read(index: int) -> npt.NDArray[np.uint8]:
        pixels, seen[int(index)] = read_patch(paths[index], side=side, method=method)
        return pixels

    def patch_of(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.numpy_function(read, [index], tf.uint8)
        pixels.set_shape((None, None, 3))
        return index, fit(pixels, model.size)

    options = tf.data.Options()
    # Threads that wait for a disk should not take the model's.
    options.threading.private_threadpool_size = readers + 1
    dataset = (
        tf.data.Dataset.range(len(paths))
        .map(patch_of, num_parallel_calls=readers, deterministic=True)
        .batch(config.batch_size)
        .prefetch(2)
        .with_options(options)
    )
    for indices, patches in dataset:
        yield [seen.pop(index) for index in indices.numpy().tolist()], patches


def read_patch(
    path: Path, *, side: int | None, method: str | None
) -> tuple[npt.NDArray[np.uint8], Seen]:
    """A picture as data_prep would have stored it for training.

    Args:
        path: the picture.
        side: of the training patches, px; None leaves the picture as large as it is.
        method: by which their stain was normalized.

    Returns:
        (H, W, 3) uint8, RGB, one black px where it cannot be read; and what was seen.
    """
    try:
        with open_picture(path) as picture:
            height, width = picture.shape
            size = None if (height, width) == (side, side) else side
            pixels = picture.read(0, 0, width, height, size=size)
            notes = picture.notes
            if method is not None:
                fitted = fit_picture(picture, method)
                notes += () if fitted else (_NOT_FITTED,)
                pixels = pixels if fitted is None else normalize(pixels, fitted)
    except InputError as error:
        return _UNREADABLE, Seen(0, 0, spelled(str(error)))
    return pixels, Seen(width, height, "", notes)
