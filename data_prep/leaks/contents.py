"""What the splits of a set hold, as far as it is compared: records, read once."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from data_prep.engine import map_items
from data_prep.leaks.overlaps import side_of
from gastric_keras.imaging.fingerprints import Pictures, mean_color, no_pictures, shrink
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


class _Row(NamedTuple):
    """One record, read."""

    key: str
    label: int
    case: str
    image: str
    x: int
    y: int
    side: int
    digest: str
    thumbnail: npt.NDArray[np.uint8]
    color: npt.NDArray[np.float32]


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
    rows: dict[str, list[_Row]] = {split: [] for split in manifest.counts}
    title = f"{folder}: reading patches"
    # The reader first: zip then runs it to its end, which closes the processes.
    read = map_items(_read_shard, [*paths], title=title, workers=workers)
    for found, split in zip(read, paths.values()):
        rows[split].extend(found)
    return [_contents(str(folder), manifest, split, rows[split]) for split in rows]


def _read_shard(path: str) -> list[_Row]:
    import tensorflow as tf

    from gastric_keras.records.schema import parse

    names = ("image", "label", "case_id", "image_id", "x", "y")
    shard = tf.data.TFRecordDataset(path).map(lambda raw: parse(raw, names))
    return [_read_row(values) for values in shard.as_numpy_iterator()]


def _read_row(values: dict[str, Any]) -> _Row:
    image_id, case_id = values["image_id"].decode(), values["case_id"].decode()
    x, y = int(values["x"]), int(values["y"])
    key = record_key(image_id, x, y)
    pixels = decode_image(values["image"], name=key)
    side = max(pixels.shape[:2])
    look = (_digest(pixels), shrink(pixels), mean_color(pixels))
    return _Row(key, int(values["label"]), case_id, image_id, x, y, side, *look)


def _digest(pixels: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _contents(
    name: str, manifest: Manifest, split: str, rows: Sequence[_Row]
) -> Contents:
    keys: dict[Kind, dict[str, str]] = {"case": {}, "image": {}, "pixels": {}}
    sides = {row.image: side_of(manifest.config, row.image) for row in rows}
    squares = []
    for row in rows:
        keys["case"].setdefault(row.case, row.key)
        keys["image"].setdefault(row.image, row.key)
        keys["pixels"].setdefault(row.digest, row.key)
        side = sides[row.image]
        # A set that says nothing of it was stored as it was cut.
        squares.append((row.x, row.y, row.side if side is None else side))
    patches = Patches(
        keys=tuple(row.key for row in rows),
        images=tuple(row.image for row in rows),
        squares=np.array(squares, np.int64).reshape(-1, 3),
        hashes=tuple(row.digest for row in rows),
        pictures=Pictures(
            np.stack([row.thumbnail for row in rows]),
            np.stack([row.color for row in rows]),
        ),
        cases=tuple(row.case for row in rows),
        labels=tuple(manifest.classes[row.label] for row in rows),
    )
    return Contents(name, manifest.dataset, split, keys, patches)
