"""What the splits of a set hold, as far as it is compared: records, read once."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from data_prep.engine import map_items
from data_prep.leaks.overlaps import side_of
from gastric_keras.imaging.fingerprints import (
    THUMBNAIL,
    Pictures,
    mean_color,
    no_pictures,
    shrink,
)
from gastric_keras.imaging.images import decode_image
from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import Manifest, read_manifest, shard_paths
from gastric_keras.records.schema import record_key

Kind = Literal["case", "image", "overlap", "pixels", "perceptual"]

#: Fewer patches than this are read in one process: others take longer to start.
_WORTH_PROCESSES = 4000


@dataclasses.dataclass(frozen=True, eq=False)
class Patches:
    """The N patches of a split, as the comparison by place and by look needs them.

    Attributes:
        keys: record keys.
        images: image ids.
        squares: (N, 3) int64: left and top edge and side, px at full resolution.
        hashes: SHA-256 of the decoded pixels: the same for a PNG saved in another way.
        pictures: thumbnails and colors.
        cases: case ids.
        labels: class names.
    """

    keys: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    squares: npt.NDArray[np.int64] = dataclasses.field(
        default_factory=lambda: np.zeros((0, 3), np.int64)
    )
    hashes: tuple[str, ...] = ()
    pictures: Pictures = dataclasses.field(default_factory=no_pictures)
    cases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Contents:
    """What one split of a set holds.

    Attributes:
        name: folder of the set.
        dataset: tissue, nuclei or target.
        split: train, validation or test.
        keys: case, image or pixels -> what is compared -> one record key that has it.
        patches: all of them.
    """

    name: str
    dataset: str
    split: str
    keys: Mapping[Kind, Mapping[str, str]]
    patches: Patches = dataclasses.field(default_factory=Patches)

    def __str__(self) -> str:
        """The set and the split, as findings name them."""
        return f"{self.name} {self.split}"


class _Rows(NamedTuple):
    """The records of one shard, packed: a row of each for every record.

    A list of rows of Python objects takes twice the memory of what they hold.
    """

    keys: list[str]
    labels: list[int]
    cases: list[str]
    images: list[str]
    squares: npt.NDArray[np.int64]
    digests: list[str]
    thumbnails: npt.NDArray[np.uint8]
    colors: npt.NDArray[np.float32]


def read_contents(folder: Path | str, *, workers: int | None = None) -> list[Contents]:
    """Read what is compared out of every record of a set, shard by shard.

    Args:
        folder: of the set.
        workers: processes; None takes all cores for a large set, else one.

    Returns:
        One entry for each split.

    Raises:
        InputError: no finished set, a shard that changed, or a patch that does not
            decode.
    """
    manifest = read_manifest(folder)
    verify_set(folder, manifest)
    total = sum(manifest.count(split) for split in manifest.counts)
    if workers is None:
        workers = (os.cpu_count() or 1) if total >= _WORTH_PROCESSES else 1
    paths = {
        path: split
        for split in manifest.counts
        for path in shard_paths(folder, manifest, split)
    }
    splits = {split: _Split(manifest.count(split)) for split in manifest.counts}
    title = f"{folder}: reading patches"
    # The reader first: zip then runs it to its end, which closes the processes.
    read = map_items(_read_shard, [*paths], title=title, workers=workers)
    for found, split in zip(read, paths.values()):
        splits[split].add(found)
    return [
        _contents(str(folder), manifest, split, rows) for split, rows in splits.items()
    ]


class _Split:
    """The rows of a split, put in place shard by shard: nothing is held twice."""

    def __init__(self, count: int) -> None:
        self.keys: list[str] = []
        self.labels: list[int] = []
        self.cases: list[str] = []
        self.images: list[str] = []
        self.digests: list[str] = []
        self.squares = np.zeros((count, 3), np.int64)
        self.thumbnails = np.zeros((count, THUMBNAIL, THUMBNAIL), np.uint8)
        self.colors = np.zeros((count, 3), np.float32)

    def add(self, rows: _Rows) -> None:
        """Append the rows of a shard."""
        place = slice(len(self.keys), len(self.keys) + len(rows.keys))
        self.squares[place] = rows.squares
        self.thumbnails[place] = rows.thumbnails
        self.colors[place] = rows.colors
        self.keys += rows.keys
        self.labels += rows.labels
        self.digests += rows.digests
        # A thousand patches of one case share one string.
        self.cases += map(sys.intern, rows.cases)
        self.images += map(sys.intern, rows.images)


def _read_shard(path: str) -> _Rows:
    import tensorflow as tf

    from gastric_keras.records.schema import parse

    names = ("image", "label", "case_id", "image_id", "x", "y")
    shard = tf.data.TFRecordDataset(path).map(lambda raw: parse(raw, names))
    rows = [_read_row(values) for values in shard.as_numpy_iterator()]
    keys, labels, cases, images, squares, digests, thumbnails, colors = (
        zip(*rows) if rows else ((),) * 8
    )
    return _Rows(
        list(keys),
        list(labels),
        list(cases),
        list(images),
        np.array(squares, np.int64).reshape(-1, 3),
        list(digests),
        np.array(thumbnails, np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL),
        np.array(colors, np.float32).reshape(-1, 3),
    )


def _read_row(values: dict[str, Any]) -> tuple:
    """One record, in the order of ``_Rows``."""
    image_id, case_id = values["image_id"].decode(), values["case_id"].decode()
    x, y = int(values["x"]), int(values["y"])
    key = record_key(image_id, x, y)
    pixels = decode_image(values["image"], name=key)
    square = (x, y, max(pixels.shape[:2]))
    look = (_digest(pixels), shrink(pixels), mean_color(pixels))
    return key, int(values["label"]), case_id, image_id, square, *look


def _digest(pixels: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _contents(name: str, manifest: Manifest, split: str, rows: _Split) -> Contents:
    keys: dict[Kind, dict[str, str]] = {"case": {}, "image": {}, "pixels": {}}
    compared: dict[Kind, list[str]] = {
        "case": rows.cases,
        "image": rows.images,
        "pixels": rows.digests,
    }
    for kind, values in compared.items():
        for value, key in zip(values, rows.keys, strict=True):
            keys[kind].setdefault(value, key)
    sides = {image: side_of(manifest.config, image) for image in keys["image"]}
    for row, image in enumerate(rows.images):
        side = sides[image]
        # A set that says nothing of it was stored as it was cut.
        if side is not None:
            rows.squares[row, 2] = side
    patches = Patches(
        keys=tuple(rows.keys),
        images=tuple(rows.images),
        squares=rows.squares,
        hashes=tuple(rows.digests),
        pictures=Pictures(rows.thumbnails, rows.colors),
        cases=tuple(rows.cases),
        labels=tuple(manifest.classes[label] for label in rows.labels),
    )
    return Contents(name, manifest.dataset, split, keys, patches)
