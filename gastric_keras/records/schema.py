"""The record of a patch, its one feature spec, and the manifest of a set.

A *set* is a folder of TFRecord shards and a ``manifest.json``. ``data_prep`` ends
here and ``gastric_keras`` begins here: the writer's ``serialize`` and the reader's
``parse`` both come from ``FEATURES``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gastric_keras.support.config_io import build, to_dict
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_json

if TYPE_CHECKING:
    import tensorflow as tf

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class PatchRecord:
    """One patch as it lies in a TFRecord.

    Attributes:
        image: PNG or JPEG bytes, RGB.
        label: index into the manifest's classes.
        case_id: the patient.
        image_id: the picture or slide that the patch was cut from.
        x: left edge in that picture, px at full resolution.
        y: top edge in that picture, px at full resolution.
        mpp: µm per px of the patch as stored; 0.0 where it is not known.
    """

    image: bytes
    label: int
    case_id: str
    image_id: str
    x: int
    y: int
    mpp: float = 0.0


#: name -> Python type: the whole schema, for writer and reader alike.
FEATURES: dict[str, type] = {
    "image": bytes,
    "label": int,
    "case_id": str,
    "image_id": str,
    "x": int,
    "y": int,
    "mpp": float,
}


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file of a set: name, split, number of records, size, checksum."""

    name: str
    split: str
    records: int
    size: int
    sha256: str


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
        schema_version: of the record and of this file.
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
    schema_version: int = SCHEMA_VERSION

    def count(self, split: str) -> int:
        """Number of patches in a split; 0 for a split that is not there."""
        return sum(self.counts.get(split, {}).values())


def record_key(image_id: str, x: int, y: int) -> str:
    """The name of a patch, unique inside a set."""
    return f"{image_id}@{x},{y}"


def nested_rank(key: str, seed: int = 0) -> int:
    """Rank that orders patches at random but for ever the same way.

    The first n of a class in this order lie inside the first m for every m > n, so
    that training subsets of growing size are nested.

    Args:
        key: see :func:`record_key`.
        seed: another seed, another draw.

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


def shard_name(split: str, index: int, total: int) -> str:
    """``train-00000-of-00004.tfrecord``, as TensorFlow's tools spell it."""
    return f"{split}-{index:05d}-of-{total:05d}.tfrecord"


def serialize(record: PatchRecord) -> bytes:
    """A record as the bytes of a ``tf.train.Example``; equal records, equal bytes."""
    import tensorflow as tf

    # The schema decides, not the value: NumPy's integers are no int.
    def feature(value: Any, kind: type) -> tf.train.Feature:
        if kind is str:
            value = value.encode()
        if kind in (bytes, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if kind is int:
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))

    features = {n: feature(getattr(record, n), kind) for n, kind in FEATURES.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def feature_spec(names: Sequence[str] = tuple(FEATURES)) -> dict[str, Any]:
    """``FEATURES`` in the form of ``tf.io.parse_example``, all or those named."""
    import tensorflow as tf

    dtypes = {bytes: tf.string, str: tf.string, int: tf.int64, float: tf.float32}
    return {name: tf.io.FixedLenFeature([], dtypes[FEATURES[name]]) for name in names}


def parse(example: tf.Tensor, names: Sequence[str] = tuple(FEATURES)) -> dict:
    """Serialized example(s) to a dict of tensors.

    Args:
        example: () or (N,) string.
        names: the features wanted; fewer are parsed faster.
    """
    import tensorflow as tf

    spec = feature_spec(names)
    if example.shape.rank == 0:
        return tf.io.parse_single_example(example, spec)
    return tf.io.parse_example(example, spec)


def read_records(folder: Path | str, split: str) -> Iterator[PatchRecord]:
    """All records of a split in file order, one at a time.

    Raises:
        InputError: no such set or split, or a damaged or foreign record; the message
            names the shard.
    """
    import tensorflow as tf

    manifest = read_manifest(folder)
    for path in shard_paths(folder, manifest, split):
        try:
            for raw in tf.data.TFRecordDataset(path).as_numpy_iterator():
                yield deserialize(raw, where=path)
        except tf.errors.DataLossError as error:
            raise _no_record(path, error) from error


def deserialize(raw: bytes, *, where: Path | str) -> PatchRecord:
    """The record that :func:`serialize` made bytes of.

    Args:
        raw: the bytes.
        where: their file, for the message.

    Raises:
        InputError: no record, or one of another schema.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        values = tf.train.Example.FromString(raw).features.feature
        return PatchRecord(
            **{name: _value(values[name], FEATURES[name]) for name in FEATURES}
        )
    except (DecodeError, ValueError) as error:
        raise _no_record(where, error) from error


def _no_record(where: Path | str, error: Exception) -> InputError:
    return InputError(
        f"Whole records with the features {', '.join(FEATURES)} were expected. "
        f"Received: {where} ({type(error).__name__}). Copy the set again, or make it "
        "again with data_prep."
    )


def _value(feature: Any, kind: type) -> Any:
    lists = {
        bytes: feature.bytes_list,
        str: feature.bytes_list,
        int: feature.int64_list,
    }
    (value,) = lists.get(kind, feature.float_list).value
    return value.decode() if kind is str else value


def write_manifest(folder: Path | str, manifest: Manifest) -> None:
    """Write ``manifest.json``, last of all files: a set without it is not whole."""
    write_json(Path(folder) / MANIFEST_NAME, to_dict(manifest))


def read_manifest(folder: Path | str) -> Manifest:
    """Read and check the manifest of a set.

    Args:
        folder: the set's folder.

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
            "A folder of records with a manifest.json was expected. "
            f"Received: {folder}. Make the set with python -m data_prep, or mend the "
            "path (a set whose making was cut short has no manifest)."
        )
    tree = read_json(path)
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"Records of schema version {SCHEMA_VERSION} were expected. "
            f"Received: {path} with schema_version={version}. Make the set again "
            "with the data_prep of this version."
        )
    # The prep config is free-form here: only data_prep knows its classes.
    config = tree.pop("config", {})
    manifest: Manifest = build(Manifest, tree | {"config": {}}, where=str(path))
    _check_figures(manifest, path)
    for shard in manifest.shards:
        file = folder / shard.name
        size = file.stat().st_size if file.is_file() else None
        if size != shard.size:
            raise InputError(
                f"A shard of {shard.size} bytes was expected at {file}. Received: "
                f"{'no file' if size is None else f'{size} bytes'}. Copy the set "
                "again, or make it again."
            )
    return dataclasses.replace(manifest, config=config)


def _check_figures(manifest: Manifest, path: Path) -> None:
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
    }
    wrong = [name for name, is_right in faults.items() if not is_right]
    if wrong:
        raise InputError(
            f"A manifest with {wrong[0]} was expected. Received: {path}, which was "
            "changed by hand or damaged. Copy the set again, or make it again."
        )


def shard_paths(folder: Path | str, manifest: Manifest, split: str) -> list[str]:
    """The files of a split.

    Raises:
        InputError: the set has no such split, or the split is empty.
    """
    paths = [str(Path(folder) / s.name) for s in manifest.shards if s.split == split]
    if not paths or not manifest.count(split):
        raise InputError(
            f"A set with patches in the split {split!r} was expected. Received: "
            f"{folder} with splits {', '.join(manifest.counts) or 'none'}. Choose one "
            "of these, or make the set with that split."
        )
    return paths
