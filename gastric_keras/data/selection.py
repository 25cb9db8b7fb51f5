"""Which patches of a set are read, and by which labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import tensorflow as tf

from gastric_keras.data.decode import decode
from gastric_keras.data.label_shuffle import Labeler
from gastric_keras.records.manifest import Manifest, read_manifest, shard_paths
from gastric_keras.records.schema import parse
from gastric_keras.records.subsets import (
    CaseSubset,
    Subset,
    only,
    read_rows,
    subset_keys,
    subset_size,
)


@dataclass(frozen=True)
class Selection:
    """Which patches of a set are read, and by which labels.

    ``Selection("records/target")`` is the whole training split.

    Attributes:
        folder: of the set.
        split: of that set.
        subset: nested subset, see ``TargetConfig.subset``; None: the whole split.
        subset_seed: of its draw.
        labeler: gives a patch its label; None: the record's own.
        answer: column of the record that a network learns, label or quantities.
    """

    folder: Path | str
    split: str = "train"
    subset: Subset | None = None
    subset_seed: int = 0
    labeler: Labeler | None = None
    answer: Literal["label", "quantities"] = "label"

    @cached_property
    def manifest(self) -> Manifest:
        """Of the set, read once."""
        return read_manifest(self.folder)

    @property
    def shards(self) -> list[str]:
        """Paths of the record files."""
        return shard_paths(self.folder, self.manifest, self.split)

    def count(self) -> int:
        """Number of patches."""
        if self.subset is None:
            return self.manifest.count(self.split)
        if isinstance(self.subset, CaseSubset):
            return len(self.keys)
        classes = len(self.manifest.classes)
        return subset_size(self.manifest, self.subset) * classes

    @cached_property
    def keys(self) -> list[str]:
        """Of the patches in the subset, read once."""
        assert self.subset is not None
        return subset_keys(self.folder, self.split, self.subset, seed=self.subset_seed)

    def class_counts(self) -> dict[str, int]:
        """Class -> number of patches, by the labels of the records."""
        if self.subset is None:
            return self.manifest.counts[self.split]
        rows = read_rows(self.folder, self.split)
        labels = Counter(rows[key][0] for key in self.keys)
        return {name: labels[i] for i, name in enumerate(self.manifest.classes)}

    def case_count(self) -> int:
        """Number of cases that the patches are of."""
        if self.subset is None:
            return len(self.manifest.cases.get(self.split, ()))
        rows = read_rows(self.folder, self.split)
        return len({rows[key][1] for key in self.keys})

    def chosen(self, records: tf.data.Dataset) -> tf.data.Dataset:
        """Those of the split's serialized records that are in the subset."""
        if self.subset is None:
            return records
        return only(records, self.keys)

    def example(
        self, raw: tf.Tensor, names: Sequence[str], image_size: int
    ) -> dict[str, tf.Tensor]:
        """Columns of a serialized record: its image decoded, its label given."""
        values = parse(raw, names)
        if self.labeler is not None:
            values["label"] = self.labeler(raw)
        if "quantities" in values:
            number = len(self.manifest.quantities)
            values["quantities"] = tf.ensure_shape(values["quantities"], (number,))
        return values | {"image": decode(values["image"], image_size)}
