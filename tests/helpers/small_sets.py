"""Tiny sets of records, written through the real record module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from gastric_keras.records.manifest import (
    SPLITS,
    Manifest,
    Shard,
    shard_name,
    write_manifest,
)
from gastric_keras.records.schema import PatchRecord, serialize
from gastric_keras.support.files import sha256_of

#: (generator, label, side in px) to (side, side, 3) uint8 RGB.
Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def draw_dots(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """Dots on a light ground; the more dots, the higher the label."""
    image = rng.integers(180, 240, (size, size, 3)).astype(np.uint8)
    for _ in range(2 + 8 * label):
        center = tuple(int(v) for v in rng.integers(4, size - 4, 2))
        cv2.circle(image, center, 4, (90, 40, 120), -1)
    return image


def make_records(
    dataset: str,
    classes: tuple[str, ...],
    split: str,
    per_class: int,
    size: int,
    suffix: str,
    draw: Draw = draw_dots,
    source: str = "",
) -> list[PatchRecord]:
    """Drawn patches, two a case."""
    seed = [SPLITS.index(split), len(classes), *source.encode()]
    rng = np.random.default_rng(seed)
    records = []
    for i in range(per_class * len(classes)):
        label = i % len(classes)
        image = draw(rng, label, size)
        encoded = cv2.imencode(suffix, image[..., ::-1])[1].tobytes()
        case = f"{source}{split}-{dataset}-{i // (2 * len(classes))}-{label}"
        name = f"{source}{split}-{i}"
        records.append(PatchRecord(encoded, label, case, name, 8 * i, 0, 0.5))
    return records


def write_small_set(
    folder: Path,
    dataset: str,
    classes: tuple[str, ...],
    *,
    per_class: dict[str, int],
    size: int = 64,
    shards: int = 2,
    suffix: str = ".png",
    subsets: dict[str, int] | None = None,
    draw: Draw = draw_dots,
    source: str = "",
) -> list[PatchRecord]:
    """Write a set of ``per_class`` patches a class and split; returns all its records
    in file order, split after split. Another ``source`` has other names and pictures.
    """
    folder.mkdir(parents=True)
    written, files, counts, cases = [], [], {}, {}
    for split, n in per_class.items():
        records = make_records(dataset, classes, split, n, size, suffix, draw, source)
        counts[split] = {name: n for name in classes}
        cases[split] = tuple(sorted({record.case_id for record in records}))
        for index in range(shards):
            name = shard_name(split, index, shards)
            part = records[index::shards]
            with tf.io.TFRecordWriter(str(folder / name)) as writer:
                for record in part:
                    writer.write(serialize(record))
            size_on_disk = (folder / name).stat().st_size
            digest = sha256_of(folder / name)
            files.append(Shard(name, split, len(part), size_on_disk, digest))
            written += part
    manifest = Manifest(
        dataset, classes, counts, cases, size, 0.5, {}, {}, tuple(files), subsets or {}
    )
    write_manifest(folder, manifest)
    return written
