"""A plan of patches to TFRecord shards and a manifest: a whole set, or none."""

from __future__ import annotations

import dataclasses
import errno
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from data_prep.engine import Engine, map_bundles
from data_prep.quality import page as quality_page
from data_prep.sets import tfds
from data_prep.sets.plan import (
    PlannedImage,
    cases_of,
    count_patches,
    placed,
    share_of_bundle,
)
from data_prep.sets.spool import CutPatches, Spool
from data_prep.sets.twins import Twins
from gastric_keras.records.ledger import Ledger
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
from gastric_keras.records.schema import PatchRecord, serialize
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import push_to_disk, sha256_of

Number = TypeVar("Number", int, float)

#: The finished set inside the folder where it grows.
SET_NAME = "set"
#: What a set may hold beside its manifest and shards.
BESIDE_RECORDS = (QUALITY_NAME, quality_page.PAGE_NAME, *tfds.NAMES)


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
            f"out must be a new folder, got out={out}, which holds other files and no "
            f"{MANIFEST_NAME}. Name another with --out."
        )
    if not force:
        raise InputError(
            f"out must be a new folder, got out={out}, which holds a finished set. "
            "Name another, or add --force to replace it."
        )
    known = {MANIFEST_NAME, *BESIDE_RECORDS}
    known |= {shard.name for shard in read_manifest(out).shards}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in known)
    if foreign:
        raise InputError(
            "out must hold nothing but its set, since --force deletes it, got "
            f"out={out} with {', '.join(foreign[:5])}. Move that away."
        )


def write_set(
    plan: Sequence[PlannedImage],
    manifest: Manifest,
    work: Path,
    *,
    cut: CutPatches,
    records_per_shard: int,
    engine: Engine = Engine(),
    ledger: Ledger | None = None,
) -> Manifest:
    """Cut the planned patches and write the set.

    Records lie in the order of ``nested_rank`` of their keys, so that neighbors do
    not sit together and the first n of a class are the nested subset of n. Equal plans
    give equal bytes. Killed and called again with the same plan and folder, it resumes.

    Args:
        plan: the pictures and their patches.
        manifest: what is known before: patch_size, mpp, counts, cases and shards are
            filled in here.
        work: folder where the set grows, see ``unfinished``.
        cut: how patches are cut and stored.
        records_per_shard: about how many records a shard holds.
        engine: where patches are cut.
        ledger: goes into the manifest's config, with what the pixels tell: patches
            that are equal under two labels or two cases.

    Returns:
        The manifest as written, in ``work / SET_NAME``; see :func:`take_name`.

    Raises:
        InputError: a picture that no longer reads.
    """
    plan = placed(plan)
    folder = work / SET_NAME
    folder.mkdir(exist_ok=True)
    bundles = map_bundles(
        cut,
        plan,
        work / "cut",
        title=f"{manifest.dataset}: writing",
        engine=engine,
        share=share_of_bundle,
    )
    # Clusters are no opinion of anybody: that two differ is no contradiction.
    twins = Twins(has_labels=manifest.dataset != "nuclei")
    spools = [Spool(path, twins) for _, path in bundles]
    sizes = set[tuple[int, float]]().union(*(spool.sizes for spool in spools))
    ranges = _shard_ranges(plan, records_per_shard)
    shards = [_write_shard(folder, shard, spools) for shard in ranges]
    ledger = Ledger() if ledger is None else ledger
    twins.tell(ledger, manifest.classes)
    manifest = dataclasses.replace(
        manifest,
        config=manifest.config | {"ledger": ledger.tree()},
        counts=count_patches(plan, manifest.classes),
        cases=cases_of(plan),
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
    spools: Sequence[Spool],
) -> Shard:
    """The next shard, out of what the bundles' files hold of it."""
    import tensorflow as tf

    split, name, first, count = shard
    records: dict[int, PatchRecord] = {}
    for spool in spools:
        records |= spool.take(first + count)
    if len(records) != count:
        raise RuntimeError(f"{name}: {len(records)} records of {count}")
    partial = folder.parent / f"{name}.partial"
    try:
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for position in sorted(records):
                writer.write(serialize(records[position]))
    except tf.errors.OpError as error:
        # TensorFlow has its own words for a full disk.
        raise OSError(errno.ENOSPC, error.message, str(partial)) from error
    # The manifest vouches for these bytes: they go down before it does.
    push_to_disk(partial)
    path = folder / name
    partial.rename(path)
    return Shard(name, split, count, path.stat().st_size, sha256_of(path))


def _common(values: Iterable[Number], default: Number) -> Number:
    """The value that all share, else the default."""
    different = set(values)
    return different.pop() if len(different) == 1 else default
