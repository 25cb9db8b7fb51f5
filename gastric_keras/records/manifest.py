"""The manifest of a set: what it holds, and how it was made.

A *set* is a folder of TFRecord shards and a ``manifest.json``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from gastric_keras.support.config_io import build, to_dict
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_json

#: Of records and manifest: 2 holds quantities beside the label. A set without them is
#: written as version 1, byte for byte, so that earlier versions read it too.
SCHEMA_VERSIONS = (1, 2)
MANIFEST_NAME = "manifest.json"
#: What data_prep measures of a mid-level set, beside its records.
QUALITY_NAME = "quality.json"
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file of a set: name, split, number of records, size, checksum."""

    name: str
    split: str
    records: int
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Fold:
    """Which part of a cross-validation a set is.

    Attributes:
        number: of the fold that is its test split, 1…count.
        count: k, of all folds.
        seed: of the deal; another one is another repetition.
    """

    number: int
    count: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a set holds, and how it was made.

    Attributes:
        dataset: kind of set: tissue, nuclei or target.
        classes: names, in label order.
        counts: split -> class -> number of patches.
        cases: split -> sorted case ids.
        patch_size: side of the square patches in px; 0 where they differ.
        mpp: µm per px; 0.0 where it is not known or differs.
        dropped: reason -> number of patches (or images) that were left out.
        config: the resolved data_prep config.
        shards: the files.
        subsets: name -> patches per class, for nested training subsets.
        set_aside: image -> reason, for images that could not be read.
        is_grouped: False when the cases are unknown and each image is its own.
        fold: of a cross-validation; None: the set is no part of one.
        quantities: names of the numbers that each record holds beside its label; none
            in a set of classes.
    """

    dataset: str
    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    cases: dict[str, tuple[str, ...]]
    patch_size: int
    mpp: float
    dropped: dict[str, int]
    config: dict[str, Any]
    shards: tuple[Shard, ...]
    subsets: dict[str, int] = dataclasses.field(default_factory=dict)
    set_aside: dict[str, str] = dataclasses.field(default_factory=dict)
    is_grouped: bool = True
    fold: Fold | None = None
    quantities: tuple[str, ...] = ()

    @property
    def schema_version(self) -> int:
        """Of the records and of the file, one of ``SCHEMA_VERSIONS``."""
        return 2 if self.quantities else 1

    @property
    def has_shares(self) -> bool:
        """Whether the quantities are the shares of its classes in each patch."""
        return self.quantities == self.classes

    def count(self, split: str) -> int:
        """Number of patches in a split; 0 for a split that is not there."""
        return sum(self.counts.get(split, {}).values())


def shard_name(split: str, index: int, total: int) -> str:
    """``train-00000-of-00004.tfrecord``, as TensorFlow's tools spell it."""
    return f"{split}-{index:05d}-of-{total:05d}.tfrecord"


def write_manifest(folder: Path | str, manifest: Manifest) -> None:
    """Write ``manifest.json``, last of all files: a set without it is not whole."""
    tree = to_dict(manifest)
    if not manifest.quantities:
        del tree["quantities"]
    write_json(
        Path(folder) / MANIFEST_NAME,
        tree | {"schema_version": manifest.schema_version},
    )


def read_manifest(folder: Path | str) -> Manifest:
    """Read and check the manifest of a set.

    Returns:
        The manifest; every shard that it names is there and has its size.

    Raises:
        InputError: no manifest, another schema version, figures that contradict each
            other, a shard missing, outside the folder or of another size.
    """
    folder = Path(folder)
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise InputError(
            f"The folder of a set must have a {MANIFEST_NAME}, got {folder}. Make the "
            "set with python -m data_prep, or fix the path (a set that was interrupted "
            "while it was made has no manifest)."
        )
    tree = read_json(path)
    version = tree.pop("schema_version", None) if isinstance(tree, dict) else None
    if version not in SCHEMA_VERSIONS:
        raise InputError(
            "Records must be of schema version "
            f"{' or '.join(map(str, SCHEMA_VERSIONS))}, got {path} with "
            f"schema_version={version}. Make the set again with this version of "
            "data_prep."
        )
    # The prep config is free-form here: only data_prep knows its classes.
    config = tree.pop("config", {})
    manifest: Manifest = build(Manifest, tree | {"config": {}}, where=str(path))
    _check_figures(manifest, path, version)
    for shard in manifest.shards:
        file = folder / shard.name
        size = file.stat().st_size if file.is_file() else None
        if size != shard.size:
            found = "no file" if size is None else f"{size} bytes"
            raise InputError(
                f"The shard {file} must have {shard.size} bytes, got {found}. "
                "Copy the set again, or make it again."
            )
    return dataclasses.replace(manifest, config=config)


def _check_figures(manifest: Manifest, path: Path, version: int) -> None:
    """Refuse a manifest whose parts contradict each other, or that leads elsewhere."""
    names = [shard.name for shard in manifest.shards]
    in_shards: dict[str, int] = dict.fromkeys(manifest.counts, 0)
    for shard in manifest.shards:
        in_shards[shard.split] = in_shards.get(shard.split, 0) + shard.records
    counted = {split: manifest.count(split) for split in manifest.counts}
    faults = {
        "shards that lie in its folder": all(Path(n).name == n for n in names),
        "each shard once": len(set(names)) == len(names),
        f"splits among {', '.join(SPLITS)}": set(in_shards) <= set(SPLITS),
        "counts of each of its classes, 0 or more": all(
            list(count) == list(manifest.classes)
            and min(count.values(), default=0) >= 0
            for count in manifest.counts.values()
        ),
        "as many records in the shards as in its counts": in_shards == counted,
        "quantities with names of their own, in version 2 alone": (
            len(set(manifest.quantities)) == len(manifest.quantities)
            and version == manifest.schema_version
        ),
    }
    wrong = [name for name, is_right in faults.items() if not is_right]
    if wrong:
        raise InputError(
            f"The manifest must have {wrong[0]}, got {path}, which was edited by hand "
            "or damaged. Copy the set again, or make it again."
        )


def shard_paths(folder: Path | str, manifest: Manifest, split: str) -> list[str]:
    """The files of a split.

    Raises:
        InputError: the set has no such split, or the split is empty.
    """
    paths = [str(Path(folder) / s.name) for s in manifest.shards if s.split == split]
    if not paths or not manifest.count(split):
        raise InputError(
            f"The set must have patches in the split {split!r}, got {folder} with "
            f"splits {', '.join(manifest.counts) or 'none'}. Choose one of these, or "
            "make the set with that split."
        )
    return paths
