"""Leaks: the same case, image, place or picture on two sides that must share none."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from data_prep.engine import map_items
from data_prep.leaks.fingerprints import (
    Pictures,
    find_alike,
    mean_color,
    no_pictures,
    shrink,
)
from data_prep.leaks.overlaps import intersect, side_of
from gastric_keras.imaging.images import decode_image
from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import Manifest, read_manifest, shard_paths
from gastric_keras.records.schema import record_key

Kind = Literal["case", "image", "overlap", "pixels", "perceptual"]

#: Sets that take each other's place at t=1 and never meet in one run.
MID_LEVEL = ("tissue", "nuclei")

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
    """

    keys: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    squares: npt.NDArray[np.int64] = dataclasses.field(
        default_factory=lambda: np.zeros((0, 3), np.int64)
    )
    hashes: tuple[str, ...] = ()
    pictures: Pictures = dataclasses.field(default_factory=no_pictures)


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


@dataclasses.dataclass(frozen=True)
class Leak:
    """Something that two sides share.

    Attributes:
        kind: case; image; overlap (patches that share a part of a picture); pixels
            (equal to the last pixel); perceptual (the same picture turned, flipped,
            compressed again or mildly resized).
        first: one side.
        second: the other.
        count: number of cases, images, different patches (pixels) or pairs of
            patches (overlap, perceptual).
        examples: a few of them; of patches, the two record keys.
        names: of cases and images, all of them.
        pairs: for each, a record key of the first side and one of the second.
    """

    kind: Kind
    first: str
    second: str
    count: int
    examples: tuple[str, ...]
    names: tuple[str, ...] = dataclasses.field(default=(), compare=False, repr=False)
    pairs: tuple[tuple[str, str], ...] = dataclasses.field(
        default=(), compare=False, repr=False
    )


class _Row(NamedTuple):
    """One record, read."""

    key: str
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


def find_leaks(contents: Sequence[Contents], *, examples: int = 3) -> list[Leak]:
    """Compare every two sides that must not share anything.

    These are two splits of one set, and any split of one set with any of another,
    but for two mid-level sets: tissue and nuclei are made from the same pictures
    with good reason, and no run uses both.

    Args:
        contents: of one or several sets, see :func:`read_contents`.
        examples: most examples that a leak names.

    Returns:
        One leak for each kind and pair that shares something.
    """
    return [
        leak
        for first, second in combinations(contents, 2)
        if must_differ(first, second)
        for leak in _compare(first, second, examples)
    ]


def must_differ(first: Contents, second: Contents) -> bool:
    """Whether two sides are compared at all."""
    if first.name == second.name:
        return True
    return not {first.dataset, second.dataset} <= set(MID_LEVEL)


def _read_shard(path: str) -> list[_Row]:
    import tensorflow as tf

    from gastric_keras.records.schema import parse

    names = ("image", "case_id", "image_id", "x", "y")
    shard = tf.data.TFRecordDataset(path).map(lambda raw: parse(raw, names))
    return [_read_row(values) for values in shard.as_numpy_iterator()]


def _read_row(values: dict[str, Any]) -> _Row:
    image_id, case_id = values["image_id"].decode(), values["case_id"].decode()
    x, y = int(values["x"]), int(values["y"])
    key = record_key(image_id, x, y)
    pixels = decode_image(values["image"], name=key)
    side = max(pixels.shape[:2])
    look = (_digest(pixels), shrink(pixels), mean_color(pixels))
    return _Row(key, case_id, image_id, x, y, side, *look)


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
    )
    return Contents(name, manifest.dataset, split, keys, patches)


def _compare(first: Contents, second: Contents, examples: int) -> Iterator[Leak]:
    sides = (str(first), str(second))
    for kind, keys in first.keys.items():
        others = second.keys[kind]
        shared = sorted(set(keys) & set(others))
        if not shared:
            continue
        pairs = tuple((keys[value], others[value]) for value in shared)
        # A hash tells nobody anything: the two patches are named instead.
        names = () if kind == "pixels" else tuple(shared)
        named = names[:examples] or _spell(pairs[:examples])
        yield Leak(kind, *sides, len(shared), named, names, pairs)
    by_place = _overlaps(first.patches, second.patches)
    by_look = _alike(first.patches, second.patches)
    kinds: tuple[tuple[Kind, list], ...] = (
        ("overlap", by_place),
        ("perceptual", by_look),
    )
    for kind, found in kinds:
        if found:
            pairs = tuple(
                (first.patches.keys[i], second.patches.keys[j]) for i, j in found
            )
            yield Leak(kind, *sides, len(pairs), _spell(pairs[:examples]), (), pairs)


def _spell(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{one} = {other}" for one, other in pairs)


def _alike(first: Patches, second: Patches) -> list[tuple[int, int]]:
    """Rows that look alike; equal pixels are a leak of their own kind."""
    return [
        (one, other)
        for one, other, _ in find_alike(first.pictures, second.pictures)
        if first.hashes[one] != second.hashes[other]
    ]


def _overlaps(first: Patches, second: Patches) -> list[tuple[int, int]]:
    """Rows whose squares share a pixel of one picture, in order."""
    ours, theirs = _rows_by_image(first), _rows_by_image(second)
    found: list[tuple[int, int]] = []
    for image in ours.keys() & theirs.keys():
        left, right = np.array(ours[image]), np.array(theirs[image])
        pairs = intersect(first.squares[left], second.squares[right])
        found += zip(left[pairs[:, 0]].tolist(), right[pairs[:, 1]].tolist())
    return sorted(found)


def _rows_by_image(patches: Patches) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for row, image in enumerate(patches.images):
        rows[image].append(row)
    return rows
