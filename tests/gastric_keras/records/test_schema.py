"""Both sides of the one schema of a record."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from gastric_keras.records import schema
from gastric_keras.records.schema import PatchRecord, serialize
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")
RECORD = PatchRecord(b"\x89PNG\x00\xff", 2, "Fall-Ü", "a/b.png", -3, 2**40, 0.25)


def test_the_schema_is_the_record() -> None:
    fields = [field.name for field in dataclasses.fields(PatchRecord)]
    assert list(schema.FEATURES) == fields
    assert list(schema.feature_spec()) == fields


def test_parse_reads_what_serialize_writes() -> None:
    example = tf.constant(serialize(RECORD))
    values = {k: v.numpy() for k, v in schema.parse(example).items()}
    values["case_id"] = values["case_id"].decode()
    values["image_id"] = values["image_id"].decode()
    assert values.pop("quantities").shape == (0,)
    assert PatchRecord(**values) == RECORD
    batch = schema.parse(tf.stack([example, example]), ["x", "y"])
    assert {k: v.numpy().tolist() for k, v in batch.items()} == {
        "x": [-3, -3],
        "y": [2**40, 2**40],
    }


def test_equal_records_have_equal_bytes() -> None:
    assert serialize(RECORD) == serialize(dataclasses.replace(RECORD))
    other = {"image": b"", "label": 1, "case_id": "", "image_id": "b", "x": 0, "y": 0}
    for name, value in (other | {"mpp": 0.5}).items():
        changed = dataclasses.replace(RECORD, **{name: value})
        assert serialize(changed) != serialize(RECORD), name


def test_the_schema_decides_the_type_and_not_the_value() -> None:
    numpy = PatchRecord(
        b"", np.int64(1), "c", "i", np.int32(4), np.uint8(5), 2  # type: ignore
    )
    plain = PatchRecord(b"", 1, "c", "i", 4, 5, 2.0)
    assert serialize(numpy) == serialize(plain)
    assert schema.parse(tf.constant(serialize(numpy)))["mpp"].numpy() == 2.0


def test_read_records_in_file_order(tmp_path: Path) -> None:
    written = write_small_set(
        tmp_path / "set", "target", CLASSES, per_class={"train": 5, "test": 1}, size=16
    )
    assert list(schema.read_records(tmp_path / "set", "train")) == written[:10]
    assert list(schema.read_records(tmp_path / "set", "test")) == written[10:]


#: A record as version 1 wrote it, byte for byte.
OLD = bytes.fromhex(
    "0a770a130a07636173655f696412080a060a04636173650a150a08696d6167655f696412090a"
    "070a05612e706e670a100a05696d61676512070a050a03706e670a0e0a056c6162656c12051a"
    "030a01010a0f0a036d7070120812060a040000003f0a0a0a017812051a030a01080a0a0a0179"
    "12051a030a0100"
)


def test_a_record_of_version_1_has_the_bytes_and_is_read() -> None:
    old = PatchRecord(b"png", 1, "case", "a.png", 8, 0, 0.5)
    assert serialize(old) == OLD
    assert schema.deserialize(OLD, where="old") == old
    assert schema.parse(tf.constant(OLD))["quantities"].shape == (0,)


def test_quantities_are_read_as_written() -> None:
    record = dataclasses.replace(RECORD, quantities=(0.25, 0.75, 0.0))
    assert schema.deserialize(serialize(record), where="new") == record
    batch = tf.constant([serialize(record), serialize(RECORD)])
    values = schema.parse(batch)["quantities"].numpy()
    assert values[0].tolist() == [0.25, 0.75, 0.0] and np.isnan(values[1]).all()
