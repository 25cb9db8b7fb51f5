"""The order of the training records, and which of them a worker reads."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow.random.experimental import stateless_fold_in, stateless_shuffle

from gastric_keras.data.batch_part import WHOLE, BatchPart
from gastric_keras.data.selection import Selection
from gastric_keras.records.offsets import record_offsets

AUTOTUNE = tf.data.AUTOTUNE
#: Shards that are read side by side, and records that are looked up side by side.
_TOGETHER = 8


def training_records(
    selection: Selection,
    passes: range,
    *,
    batch_size: int,
    seed: int,
    shuffle_buffer: int,
    part: BatchPart = WHOLE,
) -> tf.data.Dataset:
    """Serialized patches pass after pass, each pass in an order of its own.

    Several workers shuffle the numbers of the records, which gives the order of one
    process, and each reads the records of its own rows where they lie. A subset is
    few patches, which each worker holds in memory.

    Args:
        selection: which patches.
        passes: numbers of the passes.
        batch_size: patches in a batch of all workers; a pass is cut to whole ones.
        seed: of the order.
        shuffle_buffer: records that are shuffled at a time.
        part: rows of each batch that are read.

    Returns:
        Dataset of () string.
    """
    is_sought = part.workers > 1 and selection.subset is None
    source = _Numbers(selection) if is_sought else _Records(selection)
    shards = tf.range(len(selection.shards))
    patches = selection.count() // batch_size * batch_size

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        seeds = stateless_fold_in(tf.constant([seed, 0], tf.int64), number)
        records = source.subset
        if records is None:
            records = _interleaved(stateless_shuffle(shards, seeds), source)
        # Shuffled while still encoded: a patch takes a tenth of its decoded size.
        records = _shuffle(records, seeds, window=shuffle_buffer)
        # Cut to whole batches here, so that no batch spans two passes.
        return records.take(patches)

    records = tf.data.Dataset.range(passes.start, passes.stop).flat_map(one_pass)
    if part.workers > 1:
        records = records.batch(batch_size).map(part.rows).unbatch()
    return source.read(records)


class _Records:
    """Records are shuffled."""

    def __init__(self, selection: Selection) -> None:
        self._paths = tf.constant(selection.shards)
        self.subset: tf.data.Dataset | None = None
        if selection.subset is not None:
            # In memory: a pass over them should not read all the rest.
            records = tf.data.TFRecordDataset(self._paths)
            self.subset = selection.chosen(records).cache()

    def shard(self, index: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(self._paths[index])

    def read(self, records: tf.data.Dataset) -> tf.data.Dataset:
        return records


class _Numbers(_Records):
    """Numbers of records are shuffled, counted through the shards of a split."""

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection)
        offsets = [record_offsets(path) for path in selection.shards]
        lengths = [len(each) for each in offsets]
        self._offsets = tf.constant(np.concatenate(offsets))
        self._shard_of = tf.constant(np.repeat(np.arange(len(lengths)), lengths))
        self._ends = tf.constant(np.cumsum([0, *lengths]))

    def shard(self, index: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.range(self._ends[index], self._ends[index + 1])

    def read(self, records: tf.data.Dataset) -> tf.data.Dataset:
        def record(number: tf.Tensor) -> tf.data.Dataset:
            opened = tf.raw_ops.TFRecordDatasetV2(
                filenames=self._paths[self._shard_of[number]][None],
                compression_type="",
                # Unbuffered: a buffer would read on into the records of others.
                buffer_size=0,
                byte_offsets=self._offsets[number][None],
            )
            spec = tf.TensorSpec((), tf.string)
            return tf.data.experimental.from_variant(opened, spec).take(1)

        return records.interleave(
            record,
            cycle_length=_TOGETHER,
            num_parallel_calls=AUTOTUNE,
            deterministic=True,
        )


def _interleaved(shards: tf.Tensor, source: _Records) -> tf.data.Dataset:
    """Several shards at once: that mixes patches that lie far apart on disk."""
    return tf.data.Dataset.from_tensor_slices(shards).interleave(
        source.shard,
        cycle_length=_TOGETHER,
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
