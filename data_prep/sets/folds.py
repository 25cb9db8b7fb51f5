"""A finished target set to k sets of a cross-validation, by case."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import heapq
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from data_prep.sets.splits import count_by_case, deal_folds
from data_prep.sets.tfds import write_tfds_metadata
from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import (
    SPLITS,
    Fold,
    Manifest,
    Shard,
    read_manifest,
    shard_name,
    write_manifest,
)
from gastric_keras.records.schema import (
    PatchRecord,
    read_records,
    record_key,
    serialize,
)
from gastric_keras.records.subsets import nested_rank, read_rows
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import locked, push_to_disk, sha256_of
from gastric_keras.support.streams import warn

#: Train, validation and test take a fold or more each.
LEAST_FOLDS = 3
_RECORDS_PER_SHARD = 1000


def write_folds(
    source: Path | str, out: Path | str, *, folds: int = 5, seed: int = 0
) -> list[Path]:
    """Write the k sets of a cross-validation over all cases of a target set.

    Every case is in one fold, so that each fold holds a like share of each class's
    patches. In set i, fold i is the test split, the fold after it the validation split
    and the others the training split: each case is tested once and validates once,
    never by a network that was trained on it. The sets share their record files by
    hard links; where the disk has none, they are copied.

    Args:
        source: folder of the target set; its own splits count no more.
        out: folder of the sets, new: ``fold-1`` … ``fold-k``.
        folds: k, 3 or more.
        seed: of the deal; the folds of another seed are a repetition.

    Returns:
        The folders of the sets.

    Raises:
        InputError: no target set, cases that are not known, fewer cases of a class
            than folds, or a folder that exists.
    """
    source, out = Path(source), Path(out)
    manifest = read_manifest(source)
    _check(source, manifest, out, folds)
    verify_set(source, manifest)
    counts = count_by_case(
        (case, label)
        for split in manifest.counts
        if manifest.count(split)
        for label, case in read_rows(source, split).values()
    )
    _check_cases(counts, manifest, folds)
    dealt = deal_folds(
        counts, folds=folds, num_classes=len(manifest.classes), seed=seed
    )
    work = out.with_name(f".{out.name}.partial")
    with locked(
        work / "lock",
        folder="folder for folds in the making",
        way_out="Wait for the other command, or name another --out.",
    ):
        for left in work.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
        parts = _write_parts(source, manifest, dealt, folds, work / "parts")
        for number in range(folds):
            fold = Fold(number + 1, folds, seed)
            _link_set(work, parts, manifest, fold, counts, dealt)
        shutil.rmtree(work / "parts")
    (work / "lock").unlink()
    work.rename(out)
    return [out / _name(number) for number in range(folds)]


def _name(number: int) -> str:
    return f"fold-{number + 1}"


def _check(source: Path, manifest: Manifest, out: Path, folds: int) -> None:
    require(
        manifest.dataset == "target",
        "Folds must be of a target set",
        "Name the folder that python -m data_prep target wrote.",
        set=f"{source} ({manifest.dataset})",
    )
    require(
        manifest.fold is None,
        "Folds must be of a whole set, not of a fold",
        "Name the set that the folds were made of.",
        set=str(source),
    )
    require(
        manifest.is_grouped,
        "Folds must be of a set whose cases are known",
        "Name the cases in the index of data_prep: patches of one patient would be in "
        "several folds.",
        set=str(source),
    )
    require(
        folds >= LEAST_FOLDS,
        f"--folds must be {LEAST_FOLDS} or more",
        "One fold is tested, one validates, the others train; 5 is usual.",
        folds=folds,
    )
    require(
        not out.exists(),
        "--out must be a new folder",
        "Name another, or delete it.",
        out=str(out),
    )


def _check_cases(
    counts: dict[str, Counter[int]], manifest: Manifest, folds: int
) -> None:
    """Every fold needs a case of every class."""
    cases = Counter[int]()
    for found in counts.values():
        cases.update(found.keys())
    short = {
        name: cases[label]
        for label, name in enumerate(manifest.classes)
        if cases[label] < folds
    }
    if short:
        raise InputError(
            f"Each class must have {folds} cases or more for {folds} folds, got "
            + ", ".join(f"{name} with {count}" for name, count in short.items())
            + f". Use fewer folds, {LEAST_FOLDS} or more, or add cases."
        )


def _in_order(source: Path, manifest: Manifest) -> Iterator[PatchRecord]:
    """Records of all splits in the order that each split has, one at a time."""

    def place(record: PatchRecord) -> tuple[int, str]:
        key = record_key(record.image_id, record.x, record.y)
        return nested_rank(key), key

    parts = [read_records(source, split) for split in SPLITS if manifest.count(split)]
    return heapq.merge(*parts, key=place)


def _write_parts(
    source: Path, manifest: Manifest, dealt: dict[str, int], folds: int, work: Path
) -> list[list[Shard]]:
    """The record files of each fold, in ``work``; a shard's name is ``fold/index``."""
    import tensorflow as tf

    work.mkdir()
    names: list[list[str]] = [[] for _ in range(folds)]
    sizes: list[list[int]] = [[] for _ in range(folds)]
    with contextlib.ExitStack() as stack:
        writers: list[tf.io.TFRecordWriter | None] = [None] * folds
        try:
            for record in _in_order(source, manifest):
                fold = dealt[record.case_id]
                writer = writers[fold]
                if writer is None or sizes[fold][-1] == _RECORDS_PER_SHARD:
                    if writer is not None:
                        writer.close()
                    names[fold].append(f"{fold}-{len(names[fold])}")
                    sizes[fold].append(0)
                    writer = tf.io.TFRecordWriter(str(work / names[fold][-1]))
                    writers[fold] = stack.enter_context(writer)
                writer.write(serialize(record))
                sizes[fold][-1] += 1
        except tf.errors.OpError as error:
            # TensorFlow has its own words for a full disk.
            raise OSError(errno.ENOSPC, error.message, str(work)) from error
    return [
        [_shard(work / name, size) for name, size in zip(*part, strict=True)]
        for part in zip(names, sizes, strict=True)
    ]


def _shard(path: Path, size: int) -> Shard:
    # The manifests vouch for these bytes: they go down before any does.
    push_to_disk(path)
    return Shard(path.name, "", size, path.stat().st_size, sha256_of(path))


def _link_set(
    work: Path,
    parts: list[list[Shard]],
    manifest: Manifest,
    fold: Fold,
    counts: dict[str, Counter[int]],
    dealt: dict[str, int],
) -> None:
    """One set: its files by other names, and its manifest."""
    folder = work / _name(fold.number - 1)
    folder.mkdir()
    split_of = [
        {0: "test", 1: "validation"}.get((part - fold.number + 1) % fold.count, "train")
        for part in range(fold.count)
    ]
    shards: list[Shard] = []
    for split in SPLITS:
        files = [
            shard
            for part, of_part in enumerate(parts)
            for shard in of_part
            if split_of[part] == split
        ]
        for index, shard in enumerate(files):
            name = shard_name(split, index, len(files))
            _link(work / "parts" / shard.name, folder / name)
            shards.append(dataclasses.replace(shard, name=name, split=split))
    cases = {
        split: tuple(sorted(c for c, part in dealt.items() if split_of[part] == split))
        for split in SPLITS
    }
    by_class = {
        split: {
            name: sum(counts[case][label] for case in cases[split])
            for label, name in enumerate(manifest.classes)
        }
        for split in SPLITS
    }
    made = dataclasses.replace(
        manifest,
        counts=by_class,
        cases=cases,
        shards=tuple(shards),
        subsets=_subsets(manifest, by_class["train"], folder.name),
        fold=fold,
    )
    write_tfds_metadata(folder, made)
    write_manifest(folder, made)


def _subsets(manifest: Manifest, train: dict[str, int], name: str) -> dict[str, int]:
    """The named subsets that a training split still holds; the others are told."""
    most = min(train.values())
    subsets = {key: size for key, size in manifest.subsets.items() if size <= most}
    if left_out := sorted(manifest.subsets.keys() - subsets):
        warn(
            f"{name} is without the subset {', '.join(left_out)}: its training split "
            f"has {most} patches of the rarest class."
        )
    return subsets


def _link(file: Path, name: Path) -> None:
    try:
        os.link(file, name)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        shutil.copyfile(file, name)
