"""A set is believed only where its bytes and its records bear out its manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from data_prep.__main__ import main
from gastric_keras.records import manifest as manifests
from gastric_keras.records import schema
from gastric_keras.records.checks import check_set
from gastric_keras.records.integrity import verify_set, verify_shards
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of
from tests.helpers.quantity_sets import write_quantity_set
from tests.helpers.small_experiments import TISSUE
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    """A set of 4 + 4 training and 2 + 2 validation patches in two shards each."""
    per_class = {"train": 4, "validation": 2}
    write_small_set(tmp_path / "set", "target", CLASSES, per_class=per_class, size=16)
    return tmp_path / "set"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / manifests.MANIFEST_NAME
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def fail(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        check_set(str(folder), CLASSES, key="target")
    return str(error.value)


def flip_a_bit(folder: Path) -> manifests.Shard:
    shard = manifests.read_manifest(folder).shards[-1]
    data = bytearray((folder / shard.name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / shard.name).write_bytes(data)
    return shard


def test_one_flipped_bit_is_found_and_its_shard_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify_set(folder, manifests.read_manifest(folder))
    shard = flip_a_bit(folder)
    # The size is right, so that only the checksum can tell.
    manifest = manifests.read_manifest(folder)
    with pytest.raises(InputError) as error:
        verify_shards(folder, manifest)
    message = str(error.value)
    assert f"Shard {shard.name} must have the sha256 {shard.sha256}, got" in message
    found = hashlib.sha256((folder / shard.name).read_bytes()).hexdigest()
    assert f", got {folder} with {found}." in message
    # Before training and evaluation, in inspect and in check alike.
    assert f"Shard {shard.name}" in fail(folder)
    for command in ("inspect", "check"):
        assert main([command, str(folder)]) == 2
        assert f"error: Shard {shard.name}" in capsys.readouterr().err


def test_reading_a_damaged_shard_names_it(folder: Path) -> None:
    shard = flip_a_bit(folder)
    with pytest.raises(InputError, match="Records must be whole and have") as error:
        list(schema.read_records(folder, "validation"))
    assert f", got {folder / shard.name} (DataLossError)." in str(error.value)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (
            lambda tree: tree["shards"][0].update(name="../train.tfrecord"),
            "The manifest must have shards that lie in its folder, got",
        ),
        (
            lambda tree: tree["shards"].append(tree["shards"][0]),
            "The manifest must have each shard once, got",
        ),
        (
            lambda tree: tree["shards"][0].update(split="training"),
            "The manifest must have splits among train, validation, test, got",
        ),
        (
            lambda tree: tree["counts"]["train"].update(benign=-4),
            "The manifest must have counts of each of its classes, 0 or more, got",
        ),
        (
            lambda tree: tree["counts"]["train"].pop("benign"),
            "The manifest must have counts of each of its classes, 0 or more, got",
        ),
        (
            lambda tree: tree["counts"]["train"].update(benign=40),
            "The manifest must have as many records in the shards as in its counts",
        ),
        (
            lambda tree: tree["shards"][0].update(split="validation"),
            "The manifest must have as many records in the shards as in its counts",
        ),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], wanted: str
) -> None:
    edit(folder, change)
    message = fail(folder)
    assert wanted in message
    assert f", got {folder / manifests.MANIFEST_NAME}" in message


def test_counts_and_cases_are_those_of_the_records(folder: Path) -> None:
    edit(folder, lambda tree: tree["counts"]["train"].update(benign=5, malignant=3))
    assert (
        f"The records of {folder} must match counts.train of its manifest: {{'benign': "
        "5, 'malignant': 3}, got {'benign': 4, 'malignant': 4}." in fail(folder)
    )
    edit(folder, lambda tree: tree["counts"]["train"].update(benign=4, malignant=4))
    edit(folder, lambda tree: tree["cases"]["train"].append("one that is not there"))
    message = fail(folder)
    assert "must match cases.train of its manifest" in message
    assert "1 others, such as 'one that is not there'" in message


def _foreign(folder: Path, raw: bytes, *, records_in_it: int = 4) -> None:
    """Put other records into a shard, and have the manifest vouch for them."""
    path = folder / "train-00000-of-00002.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(records_in_it):
            writer.write(raw)
    known = {"size": path.stat().st_size, "sha256": sha256_of(path)}
    edit(folder, lambda tree: tree["shards"][0].update(known))


def test_records_of_another_schema_are_refused_before_training(folder: Path) -> None:
    _foreign(folder, b"no Example")
    message = fail(folder)
    assert "Records must be whole and have the features that data_prep" in message
    assert "train-00000-of-00002.tfrecord" in message
    foreign = tf.train.Example()
    foreign.features.feature["image/encoded"].bytes_list.value.append(b"x")
    _foreign(folder, foreign.SerializeToString())
    assert "Make the set again with data_prep" in fail(folder)
    with pytest.raises(InputError, match="train-00000-of-00002.tfrecord"):
        list(schema.read_records(folder, "train"))


def test_labels_that_no_class_has_are_refused(folder: Path) -> None:
    record = next(schema.read_records(folder, "train"))
    odd = schema.PatchRecord(**(vars(record) | {"label": 2}))
    _foreign(folder, schema.serialize(odd))
    message = fail(folder)
    assert "must have 4 records with labels from 0 to 1, got" in message
    assert "with 4 records, 4 of other labels" in message
    _foreign(folder, schema.serialize(record), records_in_it=3)
    assert "with 3 records, 0 of other labels" in fail(folder)


def test_quantities_are_finite_and_shares_sum_to_1(tmp_path: Path) -> None:
    for name, quantities in (("shares", TISSUE), ("measures", ("count", "area"))):
        folder = tmp_path / name
        write_quantity_set(folder, TISSUE, quantities)
        verify_set(folder, manifests.read_manifest(folder))
    # As a manifest of other names would have it.
    manifest = manifests.read_manifest(tmp_path / "measures")
    other = dataclasses.replace(manifest, quantities=("count", "area", "more"))
    with pytest.raises(InputError, match="quantities count, area, more as finite"):
        verify_set(tmp_path / "measures", other)
    write_quantity_set(tmp_path / "odd", TISSUE, ("p", "q", "r"))
    odd = manifests.read_manifest(tmp_path / "odd")
    with pytest.raises(InputError, match="shares that sum to 1, got"):
        verify_set(tmp_path / "odd", dataclasses.replace(odd, quantities=TISSUE))
