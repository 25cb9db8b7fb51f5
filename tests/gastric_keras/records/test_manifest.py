"""The manifest of a set: written, read, and what refuses it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from gastric_keras.records import manifest as manifests
from gastric_keras.support.errors import InputError
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")


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
        manifests.read_manifest(folder)
    return str(error.value)


def edit(folder: Path, **values: object) -> None:
    path = folder / manifests.MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_manifest_round_trip(folder: Path) -> None:
    manifest = manifests.read_manifest(folder)
    full = dataclasses.replace(
        manifest,
        config={"anything": [1, {"deep": None}], "mpp": 0.5},
        dropped={"blank": 3},
        set_aside={"bad.png": "no picture"},
        is_grouped=False,
        mpp=0.0,
    )
    manifests.write_manifest(folder, full)
    assert manifests.read_manifest(folder) == full
    assert full.count("train") == 12 and full.count("validation") == 0
    assert full.subsets == {"small": 3}


@pytest.mark.parametrize("name", ["set", "nowhere"])
def test_no_manifest(folder: Path, name: str) -> None:
    (folder / manifests.MANIFEST_NAME).unlink()
    message = fail(folder.with_name(name))
    assert "The folder of a set must have a manifest.json, got" in message
    assert f", got {folder.with_name(name)}." in message


@pytest.mark.parametrize("version", [0, manifests.SCHEMA_VERSIONS[-1] + 1, None, "1"])
def test_another_schema_version(folder: Path, version: object) -> None:
    edit(folder, schema_version=version)
    message = fail(folder)
    assert message.startswith("Records must be of schema version 1 or 2, got ")
    assert f"manifest.json with schema_version={version}. Make the set" in message


def test_a_manifest_that_is_none(folder: Path) -> None:
    (folder / manifests.MANIFEST_NAME).write_text("[1]")
    assert "with schema_version=None" in fail(folder)
    (folder / manifests.MANIFEST_NAME).write_text("{")
    assert "must be valid JSON" in fail(folder)


def test_a_manifest_of_other_fields(folder: Path) -> None:
    edit(folder, klasses=["a"])
    assert "unknown key klasses:" in fail(folder)


def test_missing_and_cut_shards(folder: Path) -> None:
    shard = folder / manifests.shard_name("train", 1, 2)
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    message = f"The shard {shard} must have {len(data)} bytes, got "
    assert message + f"{len(data) - 1} bytes. Copy the set" in fail(folder)
    shard.unlink()
    assert message + "no file. Copy the set again" in fail(folder)


def test_shard_paths(folder: Path) -> None:
    manifest = manifests.read_manifest(folder)
    assert manifests.shard_paths(folder, manifest, "test") == [
        str(folder / "test-00000-of-00002.tfrecord"),
        str(folder / "test-00001-of-00002.tfrecord"),
    ]
    empty = dataclasses.replace(manifest, counts={"test": {"benign": 0}, "train": {}})
    for split, held in {"validation": manifest, "test": empty}.items():
        with pytest.raises(InputError) as error:
            manifests.shard_paths(folder, held, split)
        message = str(error.value)
        assert f"The set must have patches in the split '{split}', got" in message
        assert f", got {folder} with splits {', '.join(held.counts)}." in message
