"""What ``tfds.builder_from_directory`` wants to find beside the records of a set.

Three small text files, in the form that TensorFlow Datasets 4.9 writes and reads; the
package itself is not needed to write them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gastric_keras.records.manifest import Manifest
from gastric_keras.records.schema import FEATURES
from gastric_keras.support.files import write_atomic, write_json

NAMES = ("dataset_info.json", "features.json", "label.labels.txt")

_PACKAGE = "tensorflow_datasets.core.features"


def write_tfds_metadata(folder: Path | str, manifest: Manifest) -> None:
    """Make a set open with ``tfds.builder_from_directory(folder)``.

    Args:
        folder: of the set.
        manifest: its manifest, as written.
    """
    folder = Path(folder)
    splits = []
    for split in manifest.counts:
        shards = [shard for shard in manifest.shards if shard.split == split]
        splits.append(
            {
                "filepathTemplate": "{SPLIT}-{SHARD_X_OF_Y}.{FILEFORMAT}",
                "name": split,
                "numBytes": str(sum(shard.size for shard in shards)),
                "shardLengths": [str(shard.records) for shard in shards],
            }
        )
    write_json(
        folder / "dataset_info.json",
        {
            "fileFormat": "tfrecord",
            "name": manifest.dataset,
            "splits": splits,
            "version": f"{manifest.schema_version}.0.0",
        },
    )
    features = {
        name: _feature(name, kind, len(manifest.classes))
        for name, kind in FEATURES.items()
        if kind is not tuple
    }
    if manifest.quantities:
        shape = {"dimensions": [str(len(manifest.quantities))]}
        features["quantities"] = {
            "pythonClassName": f"{_PACKAGE}.tensor_feature.Tensor",
            "tensor": {"dtype": "float32", "encoding": "none", "shape": shape},
        }
    write_json(
        folder / "features.json",
        {
            "pythonClassName": f"{_PACKAGE}.features_dict.FeaturesDict",
            "featuresDict": {"features": features},
        },
    )
    write_atomic(folder / "label.labels.txt", "\n".join(manifest.classes) + "\n")


def _feature(name: str, kind: type, num_classes: int) -> dict[str, Any]:
    """One feature of the record schema in TensorFlow Datasets' words."""
    if name == "image":
        shape = {"dimensions": ["-1", "-1", "3"]}
        return {
            "pythonClassName": f"{_PACKAGE}.image_feature.Image",
            "image": {"dtype": "uint8", "shape": shape},
        }
    if name == "label":
        return {
            "pythonClassName": f"{_PACKAGE}.class_label_feature.ClassLabel",
            "classLabel": {"numClasses": str(num_classes)},
        }
    if kind is str:
        return {"pythonClassName": f"{_PACKAGE}.text_feature.Text", "text": {}}
    dtype = {int: "int64", float: "float32"}[kind]
    return {
        "pythonClassName": f"{_PACKAGE}.scalar.Scalar",
        "tensor": {"dtype": dtype, "encoding": "none", "shape": {}},
    }
