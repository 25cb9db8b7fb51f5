"""A plan of patches to TFRecord shards and a manifest: a whole set, or none."""

from __future__ import annotations

import dataclasses
import os
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from data_prep import images
from data_prep.patches import PatchRef, cut_patch
from gastric_keras.errors import InputError
from gastric_keras.files import sha256_of
from gastric_keras.records import (
    MANIFEST_NAME,
    SPLITS,
    Manifest,
    PatchRecord,
    Shard,
    nested_rank,
    read_manifest,
    record_key,
    serialize,
    shard_name,
    write_manifest,
)

Number = TypeVar("Number", int, float)

#: Position in the split and length of the record that follows, in a spool file.
_SPOOL_HEAD = struct.Struct("<QQ")


@dataclasses.dataclass(frozen=True)
class PlannedImage:
    """The patches that one picture gives.

    Attributes:
        path: the file.
        image_id: its name in the records.
        case_id: the patient.
        split: where its case went.
        patch_size: side of the patches in px; 0 takes the whole picture.
        mpp: µm per px of the picture; 0.0 is not known.
        refs: the patches.
    """

    path: Path
    image_id: str
    case_id: str
    split: str
    patch_size: int
    mpp: float
    refs: tuple[PatchRef, ...]

    def key(self, ref: PatchRef) -> str:
        """The record key of one of the patches."""
        return record_key(self.image_id, ref.x, ref.y)


#: A patch as it will be stored, and its side in px; 0 where it is not square.
Cut = tuple[PatchRecord, int]

#: Maps a function over pictures in order; ``engine.map_images`` with its options set.
ImageMap = Callable[
    [Callable[["PlannedImage"], list[Cut]], Sequence["PlannedImage"]],
    Iterable[tuple["PlannedImage", list[Cut]]],
]


@dataclasses.dataclass(frozen=True)
class CutPatches:
    """Reads a planned picture once and cuts its patches; picklable for the workers.

    Attributes:
        stored_size: side in px that patches are resized to; None keeps them.
        max_pixels: most pixels of a picture.
    """

    stored_size: int | None
    max_pixels: int

    def __call__(self, image: PlannedImage) -> list[Cut]:
        """All patches of a picture, in the plan's order."""
        data = images.read_bytes(image.path)
        pixels = images.decode_image(
            data, name=str(image.path), max_pixels=self.max_pixels
        )
        return [self._cut(image, ref, data, pixels) for ref in image.refs]

    def _cut(
        self,
        image: PlannedImage,
        ref: PatchRef,
        data: bytes,
        pixels: npt.NDArray[np.uint8],
    ) -> Cut:
        patch = cut_patch(pixels, ref, image.patch_size)
        mpp = image.mpp
        if self.stored_size is not None:
            mpp *= patch.shape[0] / self.stored_size
            patch = images.resize(patch, self.stored_size)
        if patch.shape != pixels.shape or not images.is_stored_as_is(data):
            data = images.encode_png(patch)
        record = PatchRecord(
            image=data,
            label=ref.label,
            case_id=image.case_id,
            image_id=image.image_id,
            x=ref.x,
            y=ref.y,
            mpp=mpp,
        )
        height, width = patch.shape[:2]
        return record, height if height == width else 0


def check_out(out: Path | str, *, force: bool) -> None:
    """Refuse a folder that must not be overwritten, before any work is done.

    Args:
        out: where the set goes.
        force: replace a finished set.

    Raises:
        InputError: a finished set without ``force``, or a folder or file that holds
            anything else, force or not.
    """
    out = Path(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MANIFEST_NAME).is_file():
        raise InputError(
            "A new folder was expected. Received: "
            f"out={out}, which holds other files and no {MANIFEST_NAME}. Name another."
        )
    if not force:
        raise InputError(
            f"A new folder was expected. Received: out={out}, which holds a finished "
            "set. Name another, or give --force to replace it."
        )
    known = {MANIFEST_NAME, *(shard.name for shard in read_manifest(out).shards)}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in known)
    if foreign:
        raise InputError(
            "A folder with nothing but its set was expected, since --force deletes it. "
            f"Received: out={out} with {', '.join(foreign[:5])}. Move that away."
        )


def write_set(
    plan: Sequence[PlannedImage],
    manifest: Manifest,
    out: Path | str,
    *,
    cut: CutPatches,
    map_images: ImageMap,
    records_per_shard: int,
    force: bool = False,
) -> Manifest:
    """Cut the planned patches and write the set.

    Records lie in the order of ``nested_rank`` of their keys, so that neighbors do
    not sit together and the first n of a class are the nested subset of n. All goes
    into a folder beside ``out`` that takes its name at the very end. Equal plans give
    equal bytes.

    Args:
        plan: the pictures and their patches.
        manifest: what is known before: patch_size, mpp, counts, cases and shards are
            filled in here.
        out: folder of the set.
        cut: how patches are cut and stored.
        map_images: runs ``cut`` over the plan, in order.
        records_per_shard: about how many records a shard holds.
        force: replace a finished set.

    Returns:
        The manifest as written.

    Raises:
        InputError: see :func:`check_out`; also a picture that no longer reads.
    """
    out = Path(out)
    check_out(out, force=force)
    work = out.with_name(f".{out.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    places = _places(plan, records_per_shard)
    sizes: Counter[tuple[int, float]] = Counter()
    for _, patches in map_images(cut, plan):
        by_shard: dict[str, bytearray] = {}
        for record, side in patches:
            key = record_key(record.image_id, record.x, record.y)
            name, position = places[key]
            data = serialize(record)
            spool = by_shard.setdefault(name, bytearray())
            spool += _SPOOL_HEAD.pack(position, len(data)) + data
            sizes[side, record.mpp] += 1
        # Opened for each picture, so that no number of shards runs out of handles.
        for name, spool in by_shard.items():
            with open(work / f"{name}.spool", "ab") as stream:
                stream.write(spool)
    manifest = dataclasses.replace(
        manifest,
        counts=count_patches(plan, manifest.classes),
        cases=_cases(plan),
        patch_size=_common([side for side, _ in sizes], 0),
        mpp=_common([mpp for _, mpp in sizes], 0.0),
        shards=tuple(_finish_shards(work, places)),
    )
    write_manifest(work, manifest)
    _take_name(work, out)
    return manifest


def count_patches(
    plan: Iterable[PlannedImage], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """split -> class -> number of planned patches, zeros included."""
    counts = Counter((image.split, ref.label) for image in plan for ref in image.refs)
    present = {split for split, _ in counts}
    return {
        split: {name: counts[split, label] for label, name in enumerate(classes)}
        for split in SPLITS
        if split in present
    }


def _cases(plan: Iterable[PlannedImage]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {split: set() for split in SPLITS}
    for image in plan:
        found[image.split].add(image.case_id)
    return {split: tuple(sorted(cases)) for split, cases in found.items() if cases}


def _places(
    plan: Iterable[PlannedImage], records_per_shard: int
) -> dict[str, tuple[str, int]]:
    """Record key -> (shard name, position in the split)."""
    keys: dict[str, list[str]] = {split: [] for split in SPLITS}
    for image in plan:
        keys[image.split].extend(image.key(ref) for ref in image.refs)
    places = {}
    for split, entries in keys.items():
        total = -(-len(entries) // records_per_shard)
        # The key itself settles what two equal ranks would leave open.
        ordered = sorted(entries, key=lambda key: (nested_rank(key), key))
        for position, key in enumerate(ordered):
            index = position * total // len(entries)
            places[key] = (shard_name(split, index, total), position)
    return places


def _finish_shards(work: Path, places: dict[str, tuple[str, int]]) -> Iterator[Shard]:
    import tensorflow as tf

    counts = Counter(name for name, _ in places.values())
    for name in sorted(
        counts, key=lambda name: (SPLITS.index(name.split("-")[0]), name)
    ):
        spool = work / f"{name}.spool"
        records = _read_spool(spool)
        if len(records) != counts[name]:
            raise RuntimeError(f"{name}: {len(records)} records of {counts[name]}")
        with tf.io.TFRecordWriter(str(work / name)) as shard:
            for position in sorted(records):
                shard.write(records[position])
        spool.unlink()
        with open(work / name, "rb+") as stream:
            # The manifest vouches for these bytes: they go down before it does.
            os.fsync(stream.fileno())
        yield Shard(
            name=name,
            split=name.split("-")[0],
            records=len(records),
            size=(work / name).stat().st_size,
            sha256=sha256_of(work / name),
        )


def _read_spool(path: Path) -> dict[int, bytes]:
    data = path.read_bytes()
    records = {}
    offset = 0
    while offset < len(data):
        position, length = _SPOOL_HEAD.unpack_from(data, offset)
        offset += _SPOOL_HEAD.size
        records[position] = data[offset : offset + length]
        offset += length
    return records


def _take_name(work: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    work.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _common(values: Sequence[Number], default: Number) -> Number:
    """The value that all share, else the default."""
    return values[0] if len(set(values)) == 1 else default
