"""A plan of patches to TFRecord shards and a manifest: a whole set, or none."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from data_prep.measure.normalization import StainFit
from data_prep.sets import tfds as tfds_metadata
from data_prep.sets.patches import PatchRef, cut_patch, fit_picture
from gastric_keras.imaging import images
from gastric_keras.imaging.slides import Picture, open_picture
from gastric_keras.records.manifest import (
    MANIFEST_NAME,
    QUALITY_NAME,
    SPLITS,
    Manifest,
    Shard,
    read_manifest,
    shard_name,
    write_manifest,
)
from gastric_keras.records.schema import PatchRecord, record_key, serialize
from gastric_keras.records.subsets import nested_rank
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of

Number = TypeVar("Number", int, float)

#: The finished set inside the folder where it grows.
SET_NAME = "set"
#: What a set may hold beside its manifest and shards.
BESIDE_RECORDS = (QUALITY_NAME, "quality.html", *tfds_metadata.NAMES)

#: Position in the set, lengths of the fields and of the image that follow, in a
#: bundle's file.
_HEAD = struct.Struct("<QQQ")
#: Side and scale of a patch as stored, at the end of a bundle's file.
_SIZE = struct.Struct("<Qd")
#: Patches that are cut in one go, of one picture or several: their bytes are in
#: memory together, and neither a slide nor a thousand of them may fill it.
_MAX_REFS = 1024


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
        positions: place of each in the order of the whole set, as the writer fills
            it in.
    """

    path: Path
    image_id: str
    case_id: str
    split: str
    patch_size: int
    mpp: float
    refs: tuple[PatchRef, ...]
    positions: tuple[int, ...] = ()

    def key(self, ref: PatchRef) -> str:
        """The record key of one of the patches."""
        return record_key(self.image_id, ref.x, ref.y)


class BundleMap(Protocol):
    """``engine.map_bundles`` with its title and engine set."""

    def __call__(
        self,
        work: Callable[[Sequence[PlannedImage]], bytes],
        items: Sequence[PlannedImage],
        folder: Path,
        *,
        share: Callable[[PlannedImage], float],
    ) -> Iterable[tuple[Sequence[PlannedImage], Path]]: ...


@dataclasses.dataclass(frozen=True)
class CutPatches:
    """Reads planned pictures once and cuts their patches; picklable for the workers.

    Attributes:
        stored_size: side in px that patches are resized to; None keeps them.
        max_pixels: most pixels of a picture.
        normalization: of the stain, ``reinhard``, ``macenko`` or None.
    """

    stored_size: int | None
    max_pixels: int
    normalization: str | None = None

    def __call__(self, planned: Sequence[PlannedImage]) -> bytes:
        """The records of some pictures, each after its head, in the set's order.

        Not serialized yet: a worker need not load TensorFlow for it.
        """
        records: dict[int, PatchRecord] = {}
        sizes: set[tuple[int, float]] = set()
        for image in planned:
            for position, (record, side) in zip(image.positions, self.cut(image)):
                records[position] = record
                sizes.add((side, record.mpp))
        content = [_HEAD.pack(len(sizes), 0, 0)]
        content += [_SIZE.pack(side, mpp) for side, mpp in sorted(sizes)]
        for position in sorted(records):
            fields = vars(records[position]).copy()
            data = fields.pop("image")
            text = json.dumps(fields).encode()
            content += [_HEAD.pack(position, len(text), len(data)), text, data]
        # Joined once: a growing buffer would hold the patches three times over.
        return b"".join(content)

    def cut(self, image: PlannedImage) -> Iterator[tuple[PatchRecord, int]]:
        """Each patch of a picture as it is stored, and its side; 0 if not square."""
        with open_picture(image.path, max_pixels=self.max_pixels) as picture:
            fit = None
            if self.normalization is not None:
                fit = fit_picture(picture, self.normalization)
            for ref in image.refs:
                yield self._cut(image, ref, picture, fit)

    def _cut(
        self,
        image: PlannedImage,
        ref: PatchRef,
        picture: Picture,
        fit: StainFit | None,
    ) -> tuple[PatchRecord, int]:
        patch = cut_patch(picture, ref, image.patch_size, self.stored_size, fit=fit)
        mpp = image.mpp
        if self.stored_size is not None:
            mpp *= (image.patch_size or picture.shape[0]) / self.stored_size
        data = picture.data
        if (
            data is None
            or fit is not None
            or patch.shape[:2] != picture.shape
            or not images.is_stored_as_is(data)
        ):
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
    known = {MANIFEST_NAME, *BESIDE_RECORDS}
    known |= {shard.name for shard in read_manifest(out).shards}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in known)
    if foreign:
        raise InputError(
            "A folder with nothing but its set was expected, since --force deletes it. "
            f"Received: out={out} with {', '.join(foreign[:5])}. Move that away."
        )


def write_set(
    plan: Sequence[PlannedImage],
    manifest: Manifest,
    work: Path,
    *,
    cut: CutPatches,
    map_bundles: BundleMap,
    records_per_shard: int,
) -> Manifest:
    """Cut the planned patches and write the set.

    Records lie in the order of ``nested_rank`` of their keys, so that neighbors do
    not sit together and the first n of a class are the nested subset of n. Equal plans
    give equal bytes. Killed and called again with the same plan and folder, it goes on
    where it stood.

    Args:
        plan: the pictures and their patches.
        manifest: what is known before: patch_size, mpp, counts, cases and shards are
            filled in here.
        work: folder where the set grows, see ``unfinished``.
        cut: how patches are cut and stored.
        map_bundles: runs ``cut`` over the plan, in order.
        records_per_shard: about how many records a shard holds.

    Returns:
        The manifest as written, in ``work / SET_NAME``; see :func:`take_name`.

    Raises:
        InputError: a picture that no longer reads.
    """
    plan = _placed(plan)
    folder = work / SET_NAME
    folder.mkdir(exist_ok=True)
    bundles = map_bundles(cut, plan, work / "cut", share=_share_of_bundle)
    spools = [path for _, path in bundles]
    sizes = set()
    cursors = []
    for path in spools:
        found, offset = _read_sizes(path)
        sizes |= found
        cursors.append((0, offset))
    shards = []
    for shard in _shard_ranges(plan, records_per_shard):
        shards.append(_write_shard(folder, shard, spools, cursors))
    manifest = dataclasses.replace(
        manifest,
        counts=count_patches(plan, manifest.classes),
        cases=_cases(plan),
        patch_size=_common([side for side, _ in sizes], 0),
        mpp=_common([mpp for _, mpp in sizes], 0.0),
        shards=tuple(shards),
    )
    write_manifest(folder, manifest)
    return manifest


def take_name(work: Path, out: Path | str) -> None:
    """Give the finished set in ``work`` its name, in place of an older one."""
    out = Path(out)
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    (work / SET_NAME).rename(out)
    shutil.rmtree(old, ignore_errors=True)


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


def _placed(plan: Sequence[PlannedImage]) -> list[PlannedImage]:
    """Every patch with its place in the set; pictures in parts that fit the memory."""
    keys: dict[str, list[str]] = {split: [] for split in SPLITS}
    for image in plan:
        keys[image.split].extend(image.key(ref) for ref in image.refs)
    places: dict[str, int] = {}
    for entries in keys.values():
        # The key itself settles what two equal ranks would leave open.
        for key in sorted(entries, key=lambda key: (nested_rank(key), key)):
            places[key] = len(places)
    placed = []
    for image in plan:
        for start in range(0, len(image.refs), _MAX_REFS):
            refs = image.refs[start : start + _MAX_REFS]
            positions = tuple(places[image.key(ref)] for ref in refs)
            placed.append(dataclasses.replace(image, refs=refs, positions=positions))
    return placed


def _share_of_bundle(image: PlannedImage) -> float:
    return len(image.refs) / _MAX_REFS


def _shard_ranges(
    plan: Iterable[PlannedImage], records_per_shard: int
) -> Iterator[tuple[str, str, int, int]]:
    """Split, name, first position and number of records of each shard."""
    sizes = Counter[str]()
    for image in plan:
        sizes[image.split] += len(image.refs)
    first = 0
    for split in SPLITS:
        total = -(-sizes[split] // records_per_shard)
        for index in range(total):
            # As even as whole records allow.
            start = -(-index * sizes[split] // total)
            end = -(-(index + 1) * sizes[split] // total)
            yield split, shard_name(split, index, total), first + start, end - start
        first += sizes[split]


def _write_shard(
    folder: Path,
    shard: tuple[str, str, int, int],
    spools: Sequence[Path],
    cursors: list[tuple[int, int]],
) -> Shard:
    """One shard out of the bundles' files, whose cursors stand at its first record."""
    import tensorflow as tf

    split, name, first, count = shard
    records: dict[int, PatchRecord] = {}
    for index, path in enumerate(spools):
        # A file with nothing for this shard is not opened: a large set has as many
        # files as shards, and time would grow with the square of it.
        if cursors[index][0] < first + count:
            cursors[index] = _read_spool(
                path, cursors[index][1], first + count, records
            )
    if len(records) != count:
        raise RuntimeError(f"{name}: {len(records)} records of {count}")
    partial = folder.parent / f"{name}.partial"
    try:
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for position in sorted(records):
                writer.write(serialize(records[position]))
    except tf.errors.OpError as error:
        # TensorFlow has words of its own for a full disk.
        raise OSError(errno.ENOSPC, error.message, str(partial)) from error
    with open(partial, "rb+") as stream:
        # The manifest vouches for these bytes: they go down before it does.
        os.fsync(stream.fileno())
    path = folder / name
    partial.rename(path)
    return Shard(name, split, count, path.stat().st_size, sha256_of(path))


def _read_sizes(path: Path) -> tuple[set[tuple[int, float]], int]:
    """(side, mpp) of the patches of a bundle, and where its records begin."""
    with open(path, "rb") as stream:
        number, *_ = _HEAD.unpack(stream.read(_HEAD.size))
        sizes = {_SIZE.unpack(stream.read(_SIZE.size)) for _ in range(number)}
        return sizes, stream.tell()


def _read_spool(
    path: Path, offset: int, end: int, records: dict[int, PatchRecord]
) -> tuple[int, int]:
    """Take the records before position ``end``; position and place of the next one."""
    with open(path, "rb") as stream:
        stream.seek(offset)
        while head := stream.read(_HEAD.size):
            position, text, data = _HEAD.unpack(head)
            if position >= end:
                return position, offset
            fields = json.loads(stream.read(text))
            records[position] = PatchRecord(image=stream.read(data), **fields)
            offset += _HEAD.size + text + data
    return sys.maxsize, offset


def _common(values: Iterable[Number], default: Number) -> Number:
    """The value that all share, else the default."""
    different = set(values)
    return different.pop() if len(different) == 1 else default
