"""Records to batches. Each step says why it stands where it stands."""

from __future__ import annotations

import math
from pathlib import Path

import tensorflow as tf
from tensorflow.random.experimental import stateless_fold_in, stateless_shuffle

from gastric_keras.config.fit import AugmentConfig
from gastric_keras.data.augment import augment
from gastric_keras.data.label_shuffle import Labeler
from gastric_keras.records.manifest import read_manifest, shard_paths
from gastric_keras.records.schema import parse
from gastric_keras.records.subsets import key_of, only, subset_keys, subset_size
from gastric_keras.support.errors import InputError

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
    # A resize to the same size changes nothing and costs as much as decoding.
    is_right = tf.reduce_all(tf.shape(pixels)[:2] == image_size)
    patch = tf.cond(is_right, lambda: pixels, lambda: resize(pixels, image_size))
    return tf.ensure_shape(patch, (image_size, image_size, 3))


def resize(pixels: tf.Tensor, image_size: int) -> tf.Tensor:
    """Patches to the side that the network takes, with antialiasing.

    Args:
        pixels: (…, h, w, 3) uint8, one patch or a batch.
        image_size: side, px.

    Returns:
        (…, image_size, image_size, 3) uint8.
    """
    if pixels.shape[-3:-1] == (image_size, image_size):
        return pixels
    values = tf.image.resize(pixels, (image_size, image_size), antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)


def steps_per_epoch(
    folder: Path | str,
    split: str,
    batch_size: int,
    *,
    subset: str | int | None = None,
    min_steps: int = 1,
) -> int:
    """Batches in one epoch: the full ones of a pass over a split or subset, times the
    fewest passes that make ``min_steps``.

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
    steps = n // batch_size
    return steps * math.ceil(min_steps / steps)


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
    min_steps: int = 1,
    subset: str | int | None = None,
    subset_seed: int = 0,
    shuffle_buffer: int = 4096,
    labeler: Labeler | None = None,
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
        min_steps: least batches an epoch, see :func:`steps_per_epoch`.
        subset: nested subset, see ``TargetConfig.subset``.
        subset_seed: of its draw.
        shuffle_buffer: encoded patches held for shuffling.
        labeler: gives a patch its label; None: the record's own.

    Returns:
        Dataset of ((batch, size, size, 3) uint8, (batch,) int64).
    """
    steps = steps_per_epoch(folder, split, batch_size, subset=subset)
    passes = math.ceil(min_steps / steps)
    dataset = _training_records(
        folder,
        split,
        steps * batch_size,
        range(initial_epoch * passes, epochs * passes),
        seed=seed,
        subset=subset,
        subset_seed=subset_seed,
        shuffle_buffer=shuffle_buffer,
    )

    def example(raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = parse(raw, ("image", "label"))
        label = values["label"] if labeler is None else labeler(raw)
        return decode(values["image"], image_size), label

    def views(
        step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        assert augment_config is not None
        seeds = stateless_fold_in(tf.constant([seed, 1], tf.int64), step)
        return augment(batch[0], seeds, augment_config), batch[1]

    # Decoding is the dear step: all cores, behind the passes so that it runs ahead over
    # the end of one.
    dataset = dataset.map(example, num_parallel_calls=AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    if augment_config is not None:
        # By the step's number in the whole fit: a resumed fit draws what it would have.
        dataset = dataset.enumerate(initial_epoch * passes * steps)
        dataset = dataset.map(views, num_parallel_calls=AUTOTUNE, deterministic=True)
    return dataset.prefetch(AUTOTUNE)


def batch_keys(
    folder: Path | str,
    split: str = "train",
    *,
    number: int,
    batch_size: int,
    seed: int = 0,
    subset: str | int | None = None,
    subset_seed: int = 0,
    shuffle_buffer: int = 4096,
) -> list[str]:
    """Names of the patches in one batch of a ``train_dataset``.

    Args:
        folder: of a set.
        split: train.
        number: of the batch in the whole fit, from 0.
        batch_size: as in :func:`train_dataset`, like all that follow.
        seed: of the order.
        subset: nested subset.
        subset_seed: of its draw.
        shuffle_buffer: encoded patches held for shuffling.

    Returns:
        ``batch_size`` record keys, in order.
    """
    steps = steps_per_epoch(folder, split, batch_size, subset=subset)
    records = _training_records(
        folder,
        split,
        steps * batch_size,
        range(number // steps, number // steps + 1),
        seed=seed,
        subset=subset,
        subset_seed=subset_seed,
        shuffle_buffer=shuffle_buffer,
    )
    records = records.skip(number % steps * batch_size).take(batch_size)
    return [key.decode() for key in records.map(key_of).as_numpy_iterator()]


def _training_records(
    folder: Path | str,
    split: str,
    patches: int,
    passes: range,
    *,
    seed: int,
    subset: str | int | None,
    subset_seed: int,
    shuffle_buffer: int,
) -> tf.data.Dataset:
    """Serialized patches pass after pass, each pass in an order of its own."""
    paths = tf.constant(shard_paths(folder, read_manifest(folder), split))
    chosen = None
    if subset is not None:
        keys = subset_keys(folder, split, subset, seed=subset_seed)
        # Few, so they stay in memory: a pass over them should not read all the rest.
        chosen = only(tf.data.TFRecordDataset(paths), keys).cache()

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        seeds = stateless_fold_in(tf.constant([seed, 0], tf.int64), number)
        records = chosen
        if records is None:
            records = _interleaved(stateless_shuffle(paths, seeds))
        # Shuffled while still encoded: a patch takes a tenth of its decoded size.
        records = _shuffle(records, seeds, window=shuffle_buffer)
        # Cut to whole batches here, so that no batch spans two passes.
        return records.take(patches)

    return tf.data.Dataset.range(passes.start, passes.stop).flat_map(one_pass)


def _interleaved(paths: tf.Tensor) -> tf.data.Dataset:
    """Several shards at once: that mixes patches that lie far apart on disk."""
    return tf.data.Dataset.from_tensor_slices(paths).interleave(
        tf.data.TFRecordDataset,
        cycle_length=8,
        num_parallel_calls=AUTOTUNE,
        deterministic=True,
    )


def _shuffle(
    records: tf.data.Dataset, seeds: tf.Tensor, *, window: int
) -> tf.data.Dataset:
    """By window and not with Dataset.shuffle, whose order also hangs on TensorFlow's
    global seed and which refuses a seed tensor where that is 0."""

    def shuffled(number: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        return stateless_shuffle(part, stateless_fold_in(seeds, -number))

    return records.batch(window).enumerate(1).map(shuffled).unbatch()


def eval_dataset(
    folder: Path | str,
    split: str,
    *,
    image_size: int,
    batch_size: int,
    subset: str | int | None = None,
    subset_seed: int = 0,
    labeler: Labeler | None = None,
) -> tf.data.Dataset:
    """Every patch of a split or subset once, in the order of the records.

    Args:
        folder: of a set.
        split: of that set.
        image_size: side in px.
        batch_size: patches a batch; the last one may be smaller.
        subset: nested subset, see ``TargetConfig.subset``; None: the whole split.
        subset_seed: of its draw.
        labeler: gives a patch its label; None: the record's own.

    Returns:
        Dataset of dicts: image (batch, size, size, 3) uint8; label, x, y (batch,)
        int64; case_id, image_id (batch,) string.
    """
    names = ("image", "label", "case_id", "image_id", "x", "y")
    paths = shard_paths(folder, read_manifest(folder), split)

    def example(raw: tf.Tensor) -> dict[str, tf.Tensor]:
        values = parse(raw, names)
        if labeler is not None:
            values["label"] = labeler(raw)
        return values | {"image": decode(values["image"], image_size)}

    # One file after the other and a deterministic map: the order is the records'.
    dataset = tf.data.TFRecordDataset(paths)
    if subset is not None:
        dataset = only(dataset, subset_keys(folder, split, subset, seed=subset_seed))
    dataset = dataset.map(example, num_parallel_calls=AUTOTUNE, deterministic=True)
    return dataset.batch(batch_size).prefetch(AUTOTUNE)
