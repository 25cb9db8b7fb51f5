"""Records to batches. Each step says why it stands where it stands."""

from __future__ import annotations

import math
from pathlib import Path

import tensorflow as tf
from tensorflow.random.experimental import stateless_fold_in

from gastric_keras.config.fit import AugmentConfig
from gastric_keras.data.augment import augment
from gastric_keras.data.batch_part import WHOLE, BatchPart
from gastric_keras.data.selection import Selection
from gastric_keras.data.training_order import training_records
from gastric_keras.records.subsets import key_of
from gastric_keras.support.errors import InputError

AUTOTUNE = tf.data.AUTOTUNE
assert_cardinality = tf.data.experimental.assert_cardinality


def steps_per_epoch(
    selection: Selection, batch_size: int, *, min_steps: int = 1
) -> int:
    """Batches in one epoch: the full ones of a pass over a selection, times the fewest
    passes that make ``min_steps``.

    Raises:
        InputError: there is not one full batch.
    """
    n = selection.count()
    if n < batch_size:
        raise InputError(
            f"batch_size must be at most {n}, the patches of split {selection.split!r} "
            f"of {selection.folder}, got {batch_size}. Set batch_size to {n} or less."
        )
    steps = n // batch_size
    return steps * math.ceil(min_steps / steps)


def train_dataset(
    records: Selection | Path | str,
    *,
    image_size: int,
    batch_size: int,
    epochs: int,
    initial_epoch: int = 0,
    seed: int = 0,
    augment_config: AugmentConfig | None = None,
    min_steps: int = 1,
    shuffle_buffer: int = 4096,
    part: BatchPart = WHOLE,
) -> tf.data.Dataset:
    """Training batches of the epochs [initial_epoch, epochs), one after the other.

    Order and augmentation of an epoch depend on (seed, epoch) only, so that a run that
    resumes at epoch k sees what an unbroken one would have seen::

        train_dataset("records/target", image_size=224, batch_size=32, epochs=10,
                      augment_config=AugmentConfig())

    Args:
        records: folder of a set, for its whole training split; or a selection.
        image_size: side in px.
        batch_size: patches a batch; the incomplete last batch of an epoch is dropped,
            because MirroredStrategy cannot divide it among replicas.
        epochs: where to end.
        initial_epoch: where to begin.
        seed: of order and augmentation.
        augment_config: what patches go through; None: nothing.
        min_steps: least batches an epoch, see :func:`steps_per_epoch`.
        shuffle_buffer: encoded patches held for shuffling.
        part: rows of each batch that are read and made here.

    Returns:
        Dataset of ((batch, size, size, 3) uint8, (batch,) int64), or of the part's
        rows of these.
    """
    selection = _selection(records, "train")
    steps = steps_per_epoch(selection, batch_size)
    passes = math.ceil(min_steps / steps)
    dataset = training_records(
        selection,
        range(initial_epoch * passes, epochs * passes),
        batch_size=batch_size,
        seed=seed,
        shuffle_buffer=shuffle_buffer,
        part=part,
    )

    def example(raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = selection.example(raw, ("image", selection.answer), image_size)
        return values["image"], values[selection.answer]

    def views(
        step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        assert augment_config is not None
        seeds = stateless_fold_in(tf.constant([seed, 1], tf.int64), step)
        return augment(batch[0], seeds, augment_config, part), batch[1]

    # Decoding is the expensive step: all cores, behind the passes so that it runs ahead
    # over the end of one.
    dataset = dataset.map(example, num_parallel_calls=AUTOTUNE, deterministic=True)
    dataset = dataset.batch(part.size(batch_size), drop_remainder=True)
    if augment_config is not None:
        # By the step's number in the whole fit: a resumed fit draws what it would have.
        dataset = dataset.enumerate(initial_epoch * passes * steps)
        dataset = dataset.map(views, num_parallel_calls=AUTOTUNE, deterministic=True)
    # Keras stops there by itself, instead of warning that it ran out of data.
    batches = (epochs - initial_epoch) * passes * steps
    return dataset.apply(assert_cardinality(batches)).prefetch(AUTOTUNE)


def batch_keys(
    selection: Selection,
    *,
    number: int,
    batch_size: int,
    seed: int = 0,
    shuffle_buffer: int = 4096,
) -> list[str]:
    """Names of the patches in one batch of a ``train_dataset``.

    Args:
        selection: as in :func:`train_dataset`, like all that follow the number.
        number: of the batch in the whole fit, from 0.
        batch_size: patches a batch.
        seed: of the order.
        shuffle_buffer: encoded patches held for shuffling.

    Returns:
        ``batch_size`` record keys, in order.
    """
    steps = steps_per_epoch(selection, batch_size)
    records = training_records(
        selection,
        range(number // steps, number // steps + 1),
        batch_size=batch_size,
        seed=seed,
        shuffle_buffer=shuffle_buffer,
    )
    records = records.skip(number % steps * batch_size).take(batch_size)
    return [key.decode() for key in records.map(key_of).as_numpy_iterator()]


def eval_dataset(
    records: Selection | Path | str,
    split: str = "test",
    *,
    image_size: int,
    batch_size: int,
    as_supervised: bool = False,
) -> tf.data.Dataset:
    """Every patch of a selection once, in the order of the records.

    Args:
        records: folder of a set; or a selection, which names its split itself.
        split: of the set in that folder: train, validation or test.
        image_size: side in px.
        batch_size: patches a batch; the last one may be smaller.
        as_supervised: give (image, label), as ``model.evaluate`` takes it.

    Returns:
        Dataset of dicts: image (batch, size, size, 3) uint8; label, x, y (batch,)
        int64; case_id, image_id (batch,) string; quantities (batch, k) float32 where
        they are the answer. With ``as_supervised`` of pairs.
    """
    selection = _selection(records, split)
    names = ["image", "label", "case_id", "image_id", "x", "y"]
    names += [selection.answer] if selection.answer not in names else []

    def example(raw: tf.Tensor) -> dict[str, tf.Tensor] | tuple[tf.Tensor, tf.Tensor]:
        values = selection.example(raw, names, image_size)
        return (values["image"], values[selection.answer]) if as_supervised else values

    # One file after the other and a deterministic map: the order is the records'.
    dataset = selection.chosen(tf.data.TFRecordDataset(selection.shards))
    dataset = dataset.map(example, num_parallel_calls=AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size)
    batches = math.ceil(selection.count() / batch_size)
    return dataset.apply(assert_cardinality(batches)).prefetch(AUTOTUNE)


def _selection(records: Selection | Path | str, split: str) -> Selection:
    return records if isinstance(records, Selection) else Selection(records, split)
