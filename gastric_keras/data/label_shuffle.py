"""Shuffled labels: the same set, but for which patch has which label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from gastric_keras.records.manifest import SPLITS
from gastric_keras.records.subsets import key_of, read_labels

#: Serialized record, () string -> its label, () int64.
Labeler = Callable[[tf.Tensor], tf.Tensor]


def shuffle_labels(folder: Path | str, split: str, *, seed: int) -> Labeler:
    """Permute the labels of a split among its patches at random.

    Each class keeps its number of patches, so only the link between picture and label
    is broken. Keys and labels stay in memory, some hundred bytes a patch.

    Args:
        folder: of a set.
        split: of that set.
        seed: of the permutation.

    Returns:
        A function from a serialized record of that split to its shuffled label.
    """
    labels = read_labels(folder, split)
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    dealt = rng.permutation(np.array(list(labels.values()), np.int64))
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(list(labels)), dealt)
    table = tf.lookup.StaticHashTable(pairs, default_value=-1)
    return lambda raw: table.lookup(key_of(raw))
