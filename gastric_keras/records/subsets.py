"""Nested subsets of the training patches: fewer labels inside more."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gastric_keras.records.manifest import Manifest, read_manifest, shard_paths
from gastric_keras.records.schema import parse, record_key
from gastric_keras.support.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf


def nested_rank(key: str, seed: int = 0) -> int:
    """Pseudo-random rank of a patch, the same in every run.

    The first n of a class in this order are among the first m for every m > n, so
    training subsets of growing size are nested.

    Args:
        key: see :func:`record_key`.
        seed: of the order.

    Returns:
        The first 8 bytes of SHA-256 of ``seed:key``.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big")


def first_ranked(keys: Iterable[str], limit: int, seed: int = 0) -> set[str]:
    """Draw ``limit`` patches, the same ones every time, fewer inside more.

    Args:
        keys: record keys, see :func:`record_key`.
        limit: most that stay.
        seed: another seed, another draw.

    Returns:
        The first by :func:`nested_rank`; the key settles what equal ranks leave open.
    """
    return set(sorted(keys, key=lambda key: (nested_rank(key, seed), key))[:limit])


def subset_size(manifest: Manifest, subset: str | int) -> int:
    """Patches per class of a named or numbered subset.

    Raises:
        InputError: no such subset, or more patches than a class has.
    """
    size = manifest.subsets.get(subset) if isinstance(subset, str) else subset
    smallest = min(manifest.counts.get("train", {"": 0}).values())
    if size is None or size > smallest:
        known = ", ".join(f"{k} ({n})" for k, n in manifest.subsets.items()) or "none"
        raise InputError(
            f"target.subset must be a named subset ({known}) or from 1 to {smallest} "
            f"patches per class, got {subset!r}. null trains on all."
        )
    return size


def subset_keys(
    folder: Path | str, split: str, subset: str | int, *, seed: int = 0
) -> list[str]:
    """Keys of the patches in a nested subset: the first n of each class by rank.

    Args:
        folder: of a set.
        split: train.
        subset: name or number per class.
        seed: of the draw.

    Returns:
        Sorted keys, n per class.
    """
    size = subset_size(read_manifest(folder), subset)
    by_class: dict[int, list[str]] = defaultdict(list)
    for key, label in read_labels(folder, split).items():
        by_class[label].append(key)
    return sorted(
        key for keys in by_class.values() for key in first_ranked(keys, size, seed)
    )


def read_labels(folder: Path | str, split: str) -> dict[str, int]:
    """Key -> label of every patch of a split, in the order of the records."""
    import tensorflow as tf

    labels: dict[str, int] = {}
    names = ("label", "image_id", "x", "y")
    paths = shard_paths(folder, read_manifest(folder), split)
    batches = tf.data.TFRecordDataset(paths).batch(256).map(lambda r: parse(r, names))
    for batch in batches.as_numpy_iterator():
        rows = zip(*(batch[name] for name in names), strict=True)
        for label, image_id, x, y in rows:
            labels[record_key(image_id.decode(), int(x), int(y))] = int(label)
    return labels


def key_of(raw: tf.Tensor) -> tf.Tensor:
    """Key of a serialized record, () string to () string."""
    import tensorflow as tf

    values = parse(raw, ("image_id", "x", "y"))
    x, y = tf.strings.as_string(values["x"]), tf.strings.as_string(values["y"])
    # Spells records.record_key in TensorFlow; a test holds the two together.
    return tf.strings.join([values["image_id"], "@", x, ",", y])


def only(records: tf.data.Dataset, keys: list[str]) -> tf.data.Dataset:
    """The serialized records with one of these keys, in the order of the records."""
    import tensorflow as tf

    members = tf.lookup.KeyValueTensorInitializer(
        tf.constant(keys), tf.ones(len(keys), tf.bool)
    )
    table = tf.lookup.StaticHashTable(members, default_value=False)
    return records.filter(lambda raw: table.lookup(key_of(raw)))
