"""The record and the manifest: both sides of one schema, and what refuses a set."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.records import schema as records
from gastric_keras.records.schema import PatchRecord, serialize
from gastric_keras.support.errors import InputError
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")
RECORD = PatchRecord(b"\x89PNG\x00\xff", 2, "Fall-Ü", "a/b.png", -3, 2**40, 0.25)


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    """A set of 6 + 6 training and 2 + 2 test patches in two shards each."""
    write_small_set(
        tmp_path / "set",
        "target",
        CLASSES,
        per_class={"train": 6, "test": 2},
        size=16,
        subsets={"small": 3},
    )
    return tmp_path / "set"


def fail(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        records.read_manifest(folder)
    return str(error.value)


def edit(folder: Path, **values: object) -> None:
    path = folder / records.MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_schema_is_the_record() -> None:
    fields = [field.name for field in dataclasses.fields(PatchRecord)]
    assert list(records.FEATURES) == fields
    assert list(records.feature_spec()) == fields


def test_parse_reads_what_serialize_writes() -> None:
    example = tf.constant(serialize(RECORD))
    values = {k: v.numpy() for k, v in records.parse(example).items()}
    values["case_id"] = values["case_id"].decode()
    values["image_id"] = values["image_id"].decode()
    assert PatchRecord(**values) == RECORD
    batch = records.parse(tf.stack([example, example]), ["x", "y"])
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
    assert records.parse(tf.constant(serialize(numpy)))["mpp"].numpy() == 2.0


def test_read_records_in_file_order(tmp_path: Path) -> None:
    written = write_small_set(
        tmp_path / "set", "target", CLASSES, per_class={"train": 5, "test": 1}, size=16
    )
    assert list(records.read_records(tmp_path / "set", "train")) == written[:10]
    assert list(records.read_records(tmp_path / "set", "test")) == written[10:]


def test_manifest_round_trip(folder: Path) -> None:
    manifest = records.read_manifest(folder)
    full = dataclasses.replace(
        manifest,
        config={"anything": [1, {"deep": None}], "mpp": 0.5},
        dropped={"blank": 3},
        set_aside={"bad.png": "no picture"},
        is_grouped=False,
        mpp=0.0,
    )
    records.write_manifest(folder, full)
    assert records.read_manifest(folder) == full
    assert full.count("train") == 12 and full.count("validation") == 0
    assert full.subsets == {"small": 3}


@pytest.mark.parametrize("name", ["set", "nowhere"])
def test_no_manifest(folder: Path, name: str) -> None:
    (folder / records.MANIFEST_NAME).unlink()
    message = fail(folder.with_name(name))
    assert "A folder of records with a manifest.json was expected." in message
    assert f"Received: {folder.with_name(name)}." in message


@pytest.mark.parametrize("version", [0, records.SCHEMA_VERSION + 1, None, "1"])
def test_another_schema_version(folder: Path, version: object) -> None:
    edit(folder, schema_version=version)
    message = fail(folder)
    assert message.startswith("Records of schema version 1 were expected. Received: ")
    assert f"manifest.json with schema_version={version}. Make the set" in message


def test_a_manifest_that_is_none(folder: Path) -> None:
    (folder / records.MANIFEST_NAME).write_text("[1]")
    assert "with schema_version=None" in fail(folder)
    (folder / records.MANIFEST_NAME).write_text("{")
    assert "is not valid JSON" in fail(folder)


def test_a_manifest_of_other_fields(folder: Path) -> None:
    edit(folder, klasses=["a"])
    assert "unknown key klasses." in fail(folder)


def test_missing_and_cut_shards(folder: Path) -> None:
    shard = folder / records.shard_name("train", 1, 2)
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    message = f"A shard of {len(data)} bytes was expected at {shard}. Received: "
    assert message + f"{len(data) - 1} bytes. Copy the set" in fail(folder)
    shard.unlink()
    assert message + "no file. Copy the set again" in fail(folder)


def test_shard_paths(folder: Path) -> None:
    manifest = records.read_manifest(folder)
    assert records.shard_paths(folder, manifest, "test") == [
        str(folder / "test-00000-of-00002.tfrecord"),
        str(folder / "test-00001-of-00002.tfrecord"),
    ]
    empty = dataclasses.replace(manifest, counts={"test": {"benign": 0}, "train": {}})
    for split, held in {"validation": manifest, "test": empty}.items():
        with pytest.raises(InputError) as error:
            records.shard_paths(folder, held, split)
        message = str(error.value)
        assert f"A set with patches in the split '{split}' was expected." in message
        assert f"Received: {folder} with splits {', '.join(held.counts)}." in message


def test_nested_rank_nests_and_stays() -> None:
    keys = [records.record_key(f"image {i}", 8 * i, 0) for i in range(400)]
    order = sorted(keys, key=records.nested_rank)
    # A subset drawn out of fewer patches keeps their order: the smaller is inside.
    half = sorted(keys[::2], key=records.nested_rank)
    assert [key for key in order if key in set(half)] == half
    assert len({records.nested_rank(key) for key in keys}) == 400
    # Drawn from all of them and not from the front: the mean of 0…399 is 199.5.
    position = [keys.index(key) for key in order[:100]]
    assert 160 < np.mean(position) < 240
    other = sorted(keys, key=lambda key: records.nested_rank(key, 1))
    assert len(set(other[:100]) & set(order[:100])) < 50
    # For ever the same way: by hand, with hashlib alone.
    digest = hashlib.sha256(b"3:a b@1,-2").hexdigest()
    assert records.record_key("a b", 1, -2) == "a b@1,-2"
    assert records.nested_rank("a b@1,-2", 3) == int(digest[:16], 16)
