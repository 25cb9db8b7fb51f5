"""The record of a patch and its one feature spec.

``data_prep`` ends here and ``gastric_keras`` begins here: the writer's ``serialize``
and the reader's ``parse`` both come from ``FEATURES``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gastric_keras.records.manifest import read_manifest, shard_paths
from gastric_keras.support.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

#: Records that are read at a time.
_READ_AT_ONCE = 32


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
        quantities: numbers beside the label, as the manifest names them: the share of
            each class in the patch, or measures of its nuclei; none in a set of
            classes, whose records have the bytes of schema version 1.
    """

    image: bytes
    label: int
    case_id: str
    image_id: str
    x: int
    y: int
    mpp: float = 0.0
    quantities: tuple[float, ...] = ()


#: name -> Python type: the whole schema, for writer and reader alike.
FEATURES: dict[str, type] = {
    "image": bytes,
    "label": int,
    "case_id": str,
    "image_id": str,
    "x": int,
    "y": int,
    "mpp": float,
    "quantities": tuple,
}


def record_key(image_id: str, x: int, y: int) -> str:
    """The name of a patch, unique inside a set."""
    return f"{image_id}@{x},{y}"


def split_key(key: str) -> tuple[str, int, int]:
    """Image id, x and y of a key of :func:`record_key`."""
    image_id, _, place = key.rpartition("@")
    x, _, y = place.partition(",")
    return image_id, int(x), int(y)


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
        numbers = value if kind is tuple else [value]
        return tf.train.Feature(float_list=tf.train.FloatList(value=numbers))

    features = {
        name: feature(getattr(record, name), kind)
        for name, kind in FEATURES.items()
        if kind is not tuple or getattr(record, name)
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def feature_spec(names: Sequence[str] = tuple(FEATURES)) -> dict[str, Any]:
    """``FEATURES`` in the form of ``tf.io.parse_example``, all or those named."""
    import tensorflow as tf

    dtypes = {bytes: tf.string, str: tf.string, int: tf.int64, float: tf.float32}

    def spec(kind: type) -> Any:
        if kind is tuple:
            # None at all in a record of version 1; what one record lacks is NaN.
            return tf.io.FixedLenSequenceFeature(
                [], tf.float32, allow_missing=True, default_value=float("nan")
            )
        return tf.io.FixedLenFeature([], dtypes[kind])

    return {name: spec(FEATURES[name]) for name in names}


def parse(example: tf.Tensor, names: Sequence[str] = tuple(FEATURES)) -> dict:
    """Serialized example(s) to a dict of tensors.

    Args:
        example: () or (N,) string.
        names: the features wanted; fewer are parsed faster.

    Returns:
        Feature -> () or (N,); quantities (k,) or (N, k) float32, k = 0 where the set
        has none.
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
            # A call of TensorFlow costs more than a record takes to read.
            rows = tf.data.TFRecordDataset(path).batch(_READ_AT_ONCE)
            for raw in chain.from_iterable(rows.as_numpy_iterator()):
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
        f"Records must be whole and have the features {', '.join(FEATURES)}, got "
        f"{where} ({type(error).__name__}). Copy the set again, or make it again with "
        "data_prep."
    )


def _value(feature: Any, kind: type) -> Any:
    lists = {
        bytes: feature.bytes_list,
        str: feature.bytes_list,
        int: feature.int64_list,
    }
    if kind is tuple:
        return tuple(feature.float_list.value)
    (value,) = lists.get(kind, feature.float_list).value
    return value.decode() if kind is str else value
