"""Tiny sets whose records hold numbers beside their labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tensorflow as tf

from gastric_keras.records.manifest import read_manifest, shard_paths, write_manifest
from gastric_keras.records.schema import PatchRecord, deserialize, serialize
from gastric_keras.support.files import sha256_of
from tests.helpers.small_sets import write_small_set


def write_quantity_set(
    folder: Path, classes: tuple[str, ...], quantities: tuple[str, ...]
) -> None:
    """Write a tissue set whose records hold some quantities.

    Args:
        folder: of the set.
        classes: of the set; as quantities too, they are shares: most of the patch is
            of its class, the rest of the others.
        quantities: names; those that are no classes rise with the label.
    """
    per_class = {"train": 6, "validation": 3}
    write_small_set(folder, "tissue", classes, per_class=per_class)
    manifest = read_manifest(folder)
    shards = []
    for shard in manifest.shards:
        path = folder / shard.name
        raw = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
        with tf.io.TFRecordWriter(str(path)) as writer:
            for place, each in enumerate(raw):
                record = deserialize(each, where=path)
                numbers = _numbers(record, place, classes, quantities)
                writer.write(serialize(dataclasses.replace(record, quantities=numbers)))
        size, digest = path.stat().st_size, sha256_of(path)
        shards.append(dataclasses.replace(shard, size=size, sha256=digest))
    write_manifest(
        folder,
        dataclasses.replace(manifest, shards=tuple(shards), quantities=quantities),
    )
    assert shard_paths(folder, read_manifest(folder), "train")


def _numbers(
    record: PatchRecord,
    place: int,
    classes: tuple[str, ...],
    quantities: tuple[str, ...],
) -> tuple[float, ...]:
    if quantities != classes:
        return tuple(record.label - 1 + 0.1 * place * i for i in range(len(quantities)))
    rest = (0.1 + 0.05 * place) / (len(classes) - 1)
    own = 1 - rest * (len(classes) - 1)
    return tuple(own if i == record.label else rest for i in range(len(classes)))
