"""A set opens with TensorFlow Datasets, where that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep.sets.tfds import NAMES, write_tfds_metadata
from gastric_keras.records.manifest import read_manifest
from tests.helpers.small_sets import write_small_set


def _small(folder: Path) -> list:
    records = write_small_set(
        folder, "target", ("benign", "malignant"), per_class={"train": 3, "test": 2}
    )
    write_tfds_metadata(folder, read_manifest(folder))
    return records


def test_the_files_name_every_shard_class_and_feature(tmp_path: Path) -> None:
    _small(tmp_path / "set")
    info, features, labels = ((tmp_path / "set" / name).read_text() for name in NAMES)
    splits = json.loads(info)["splits"]
    assert [(s["name"], s["shardLengths"]) for s in splits] == [
        ("train", ["3", "3"]),
        ("test", ["2", "2"]),
    ]
    assert labels.split() == ["benign", "malignant"]
    names = set(json.loads(features)["featuresDict"]["features"])
    assert names == {"image", "label", "case_id", "image_id", "x", "y", "mpp"}


def test_tensorflow_datasets_reads_the_records(tmp_path: Path) -> None:
    tfds = pytest.importorskip(
        "tensorflow_datasets", reason="TensorFlow Datasets is not installed"
    )
    records = _small(tmp_path / "set")
    builder = tfds.builder_from_directory(tmp_path / "set")
    assert builder.info.features["label"].names == ["benign", "malignant"]
    found = [
        (entry["case_id"].numpy().decode(), int(entry["label"]), int(entry["x"]))
        for split in ("train", "test")
        for entry in builder.as_dataset(split=split)
    ]
    wanted = [(record.case_id, record.label, record.x) for record in records]
    assert sorted(found) == sorted(wanted)
