"""Nested subsets of the training patches: fewer labels inside more."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gastric_keras.records.manifest import Manifest, read_manifest, shard_paths
from gastric_keras.records.schema import parse, record_key
from gastric_keras.support.errors import InputError, check_ranges, require

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class CaseSubset:
    """Few patients: whole cases, with all their patches.

    Few labels of many patients show more of what patients differ in than the same
    labels of few.

    Attributes:
        cases: of each class, 1 or more: 3 draws 3 + 3. A case is of the class of most
            of its patches; the later class where two have as many.
        validation: ``alike``: as many cases of the validation split, since who has few
            cases has few to choose by as well; ``all`` of that split.
    """

    cases: int
    validation: Literal["alike", "all"] = "alike"

    def __post_init__(self) -> None:
        check_ranges(self, cases=("[1, inf)", "3 draws three cases of each class."))

    def __str__(self) -> str:
        """As in tables: ``3+3 cases``."""
        all_of_validation = "" if self.validation == "alike" else ", all validation"
        return f"{self.cases}+{self.cases} cases{all_of_validation}"


#: A name in the manifest's subsets, patches per class, or cases per class.
Subset = str | int | CaseSubset


def cut_splits(subset: Subset | None) -> tuple[str, ...]:
    """The splits of which a run uses a subset only; the test split is never cut."""
    if subset is None:
        return ()
    is_alike = isinstance(subset, CaseSubset) and subset.validation == "alike"
    return ("train", "validation") if is_alike else ("train",)


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
    folder: Path | str, split: str, subset: Subset, *, seed: int = 0
) -> list[str]:
    """Keys of the patches in a nested subset: the first n of each class by rank.

    Args:
        folder: of a set.
        split: of that set.
        subset: name or number per class, of patches or of cases.
        seed: of the draw.

    Returns:
        Sorted keys.

    Raises:
        InputError: no such subset, or more than a class has.
    """
    if isinstance(subset, CaseSubset):
        return _case_keys(folder, split, subset.cases, seed=seed)
    size = subset_size(read_manifest(folder), subset)
    by_class: dict[int, list[str]] = defaultdict(list)
    for key, label in read_labels(folder, split).items():
        by_class[label].append(key)
    return sorted(
        key for keys in by_class.values() for key in first_ranked(keys, size, seed)
    )


def _case_keys(folder: Path | str, split: str, count: int, *, seed: int) -> list[str]:
    manifest, rows = read_manifest(folder), read_rows(folder, split)
    require(
        manifest.is_grouped,
        "target.subset must count patches where the cases are not known",
        "Name the cases in the index of data_prep, or give patches per class.",
        cases=count,
        records=str(folder),
    )
    labels: dict[str, Counter[int]] = defaultdict(Counter)
    for label, case in rows.values():
        labels[case][label] += 1
    chosen: set[str] = set()
    for label, name in enumerate(manifest.classes):
        cases = [
            case
            for case, found in labels.items()
            if label == max(found, key=lambda each: (found[each], each))
        ]
        require(
            count <= len(cases),
            f"target.subset.cases must be at most {len(cases)}, the cases of {name} in "
            f"split {split} of {folder}",
            "Use fewer, or for validation alone set target.subset.validation to all.",
            cases=count,
        )
        chosen |= first_ranked(cases, count, seed)
    return sorted(key for key, (_, case) in rows.items() if case in chosen)


def read_labels(folder: Path | str, split: str) -> dict[str, int]:
    """Key -> label of every patch of a split, in the order of the records."""
    return {key: label for key, (label, _) in read_rows(folder, split).items()}


def read_rows(folder: Path | str, split: str) -> dict[str, tuple[int, str]]:
    """Key -> (label, case) of every patch of a split, in the order of the records."""
    import tensorflow as tf

    found: dict[str, tuple[int, str]] = {}
    names = ("label", "image_id", "x", "y", "case_id")
    paths = shard_paths(folder, read_manifest(folder), split)
    batches = tf.data.TFRecordDataset(paths).batch(256).map(lambda r: parse(r, names))
    for batch in batches.as_numpy_iterator():
        rows = zip(*(batch[name] for name in names), strict=True)
        for label, image_id, x, y, case in rows:
            key = record_key(image_id.decode(), int(x), int(y))
            found[key] = int(label), case.decode()
    return found


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
