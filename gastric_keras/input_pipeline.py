"""Records to batches. Each step says why it stands where it stands."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import tensorflow as tf
from tensorflow.random.experimental import stateless_fold_in, stateless_shuffle

from gastric_keras.augment import augment
from gastric_keras.config import AugmentConfig
from gastric_keras.errors import InputError
from gastric_keras.records import (
    Manifest,
    first_ranked,
    parse,
    read_manifest,
    record_key,
    shard_paths,
)

AUTOTUNE = tf.data.AUTOTUNE


def decode(image: tf.Tensor, image_size: int) -> tf.Tensor:
    """Encoded picture to patch; training, evaluation and serving share this function.

    Args:
        image: () string, PNG or JPEG bytes (BMP too) of a picture of any size.
        image_size: side in px to resize to, with antialiasing.

    Returns:
        (image_size, image_size, 3) uint8, RGB.
    """
    pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
    pixels.set_shape((None, None, 3))

    def resized() -> tf.Tensor:
        values = tf.image.resize(pixels, (image_size, image_size), antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)

    # A resize to the same size changes nothing and costs as much as decoding.
    is_right = tf.reduce_all(tf.shape(pixels)[:2] == image_size)
    patch = tf.cond(is_right, lambda: pixels, resized)
    return tf.ensure_shape(patch, (image_size, image_size, 3))


def steps_per_epoch(
    folder: Path | str, split: str, batch_size: int, *, subset: str | int | None = None
) -> int:
    """Full batches in one pass over a split or subset.

    Raises:
        InputError: there is not one full batch.
    """
    manifest = read_manifest(folder)
    n = manifest.count(split)
    if subset is not None:
        n = subset_size(manifest, subset) * len(manifest.classes)
    if n < batch_size:
        raise InputError(
            f"At least one full batch was expected. Received: {n} patches in split "
            f"{split!r} of {folder}, batch_size={batch_size}. Set batch_size to {n} "
            "or less."
        )
    return n // batch_size


def train_dataset(
    folder: Path | str,
    split: str = "train",
    *,
    image_size: int,
    batch_size: int,
    epochs: int,
    initial_epoch: int = 0,
    seed: int = 0,
    augment_config: AugmentConfig | None = None,
    subset: str | int | None = None,
    subset_seed: int = 0,
    shuffle_buffer: int = 4096,
) -> tf.data.Dataset:
    """Training batches of the epochs [initial_epoch, epochs), one after the other.

    Order and augmentation of an epoch depend on (seed, epoch) only, so that a run that
    resumes at epoch k sees what an unbroken one would have seen.

    Args:
        folder: of a set.
        split: train.
        image_size: side in px.
        batch_size: patches a batch; the incomplete last batch of an epoch is dropped,
            because MirroredStrategy cannot divide it among replicas.
        epochs: where to end.
        initial_epoch: where to begin.
        seed: of order and augmentation.
        augment_config: what patches go through; None: nothing.
        subset: nested subset, see ``TargetConfig.subset``.
        subset_seed: of its draw.
        shuffle_buffer: encoded patches held for shuffling.

    Returns:
        Dataset of ((batch, size, size, 3) uint8, (batch,) int64).
    """
    manifest = read_manifest(folder)
    paths = tf.constant(shard_paths(folder, manifest, split))
    steps = steps_per_epoch(folder, split, batch_size, subset=subset)
    chosen = None
    if subset is not None:
        chosen = _key_table(subset_keys(folder, split, subset, seed=subset_seed))

    def epoch_records(epoch: tf.Tensor) -> tf.data.Dataset:
        seeds = stateless_fold_in(tf.constant([seed, 0], tf.int64), epoch)
        files = stateless_shuffle(paths, seeds)
        # Reading several shards at once mixes patches that lie far apart on disk.
        records = tf.data.Dataset.from_tensor_slices(files).interleave(
            tf.data.TFRecordDataset,
            cycle_length=8,
            num_parallel_calls=AUTOTUNE,
            deterministic=True,
        )
        if chosen is not None:
            records = records.filter(lambda raw: chosen.lookup(_key(raw)))
        # Shuffled while still encoded: a patch takes a tenth of its decoded size.
        records = _shuffle(records, seeds, window=shuffle_buffer)
        # Cut to whole batches here, so that no batch spans two epochs below.
        records = records.take(steps * batch_size).enumerate()
        return records.map(lambda i, raw: (raw, stateless_fold_in(seeds, i)))

    def example(raw: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = parse(raw, ("image", "label"))
        image = decode(values["image"], image_size)
        if augment_config is not None:
            image = augment(image, seeds, augment_config)
        return image, values["label"]

    dataset = tf.data.Dataset.range(initial_epoch, epochs).flat_map(epoch_records)
    # Decoding is the dear step: all cores, outside flat_map so that it runs ahead
    # over the end of an epoch.
    dataset = dataset.map(example, num_parallel_calls=AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    return dataset.prefetch(AUTOTUNE)


def _shuffle(
    records: tf.data.Dataset, seeds: tf.Tensor, *, window: int
) -> tf.data.Dataset:
    """By window and not with Dataset.shuffle, whose order also hangs on TensorFlow's
    global seed and which refuses a seed tensor where that is 0."""

    def shuffled(number: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        return stateless_shuffle(part, stateless_fold_in(seeds, -number))

    return records.batch(window).enumerate(1).map(shuffled).unbatch()


def eval_dataset(
    folder: Path | str, split: str, *, image_size: int, batch_size: int
) -> tf.data.Dataset:
    """Every patch of a split once, in the order of the records.

    Args:
        folder: of a set.
        split: of that set.
        image_size: side in px.
        batch_size: patches a batch; the last one may be smaller.

    Returns:
        Dataset of dicts: image (batch, size, size, 3) uint8; label, x, y (batch,)
        int64; case_id, image_id (batch,) string.
    """
    names = ("image", "label", "case_id", "image_id", "x", "y")
    paths = shard_paths(folder, read_manifest(folder), split)

    def example(raw: tf.Tensor) -> dict[str, tf.Tensor]:
        values = parse(raw, names)
        return values | {"image": decode(values["image"], image_size)}

    # One file after the other and a deterministic map: the order is the records'.
    dataset = tf.data.TFRecordDataset(paths)
    dataset = dataset.map(example, num_parallel_calls=AUTOTUNE, deterministic=True)
    return dataset.batch(batch_size).prefetch(AUTOTUNE)


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
            f"A subset named {known}, or of 1 to {smallest} patches per class, was "
            f"expected. Received: target.subset={subset!r}. null trains on all."
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
    manifest = read_manifest(folder)
    size = subset_size(manifest, subset)
    paths = shard_paths(folder, manifest, split)
    names = ("label", "image_id", "x", "y")
    by_class: dict[int, list[str]] = defaultdict(list)
    batches = tf.data.TFRecordDataset(paths).batch(256).map(lambda r: parse(r, names))
    for batch in batches.as_numpy_iterator():
        rows = zip(*(batch[name] for name in names), strict=True)
        for label, image_id, x, y in rows:
            by_class[int(label)].append(record_key(image_id.decode(), int(x), int(y)))
    return sorted(
        key for keys in by_class.values() for key in first_ranked(keys, size, seed)
    )


def _key(raw: tf.Tensor) -> tf.Tensor:
    values = parse(raw, ("image_id", "x", "y"))
    x, y = tf.strings.as_string(values["x"]), tf.strings.as_string(values["y"])
    # Spells records.record_key in TensorFlow; a test holds the two together.
    return tf.strings.join([values["image_id"], "@", x, ",", y])


def _key_table(keys: list[str]) -> tf.lookup.StaticHashTable:
    members = tf.lookup.KeyValueTensorInitializer(
        tf.constant(keys), tf.ones(len(keys), tf.bool)
    )
    return tf.lookup.StaticHashTable(members, default_value=False)
