"""Spoilt sets of records: manifests, shards, records of another schema."""

from __future__ import annotations

import functools
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.kinds import Kind
from tests.faults.mutations import JUNK, cut, flip, nested, spoil_bytes, spoil_tree

CLASSES = ("benign", "malignant")
SPLITS = ("train", "validation")


@functools.cache
def sound_set() -> Path:
    """A whole set, written once."""
    from tests.helpers.small_sets import write_small_set

    folder = Path(tempfile.mkdtemp(prefix="faults-set-")) / "set"
    per_class = {"train": 4, "validation": 2}
    write_small_set(folder, "target", CLASSES, per_class=per_class, size=16)
    return folder


@functools.cache
def _records() -> tuple:
    from gastric_keras.records.schema import read_records

    return tuple(r for split in SPLITS for r in read_records(sound_set(), split))


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and put it into a copy of the set."""
    shutil.copytree(sound_set(), folder / "set")
    name = rng.choice(sorted(_FAULTS))
    must = _FAULTS[name](rng, folder / "set")
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    return name


def read(folder: Path) -> None:
    """Open it as a stage does, then read every record; one set in eight through
    tf.data too, as training does."""
    from gastric_keras.records.checks import check_set
    from gastric_keras.records.schema import read_records
    from gastric_keras.support.errors import InputError

    must = json.loads((folder / "truth.json").read_text())["must"]
    try:
        check_set(str(folder / "set"), CLASSES, key="target")
        found = tuple(r for s in SPLITS for r in read_records(folder / "set", s))
        if len(str(folder)) and hash(folder.name) % 8 == 0:
            _train(folder / "set")
    except InputError as error:
        assert must != "right", f"refused: {error}"
        raise
    assert must != "refused", f"{len(found)} records read"
    assert found == _records(), "other records than were written"


def _train(folder: Path) -> None:
    from gastric_keras.data.pipeline import train_dataset
    from gastric_keras.data.selection import Selection

    batches = train_dataset(Selection(folder), image_size=16, batch_size=2, epochs=1)
    for images, labels in batches.as_numpy_iterator():
        assert images.shape == (2, 16, 16, 3) and set(labels) <= {0, 1}


def _manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def _save(folder: Path, manifest: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _shard(rng: random.Random, folder: Path) -> Path:
    return rng.choice(sorted(folder.glob("*.tfrecord")))


def _flipped_shard(rng: random.Random, folder: Path) -> str:
    path = _shard(rng, folder)
    path.write_bytes(flip(rng, path.read_bytes(), most=1))
    return "refused"


def _cut_shard(rng: random.Random, folder: Path) -> str:
    path = _shard(rng, folder)
    path.write_bytes(cut(rng, path.read_bytes()))
    return "refused"


def _no_shard(rng: random.Random, folder: Path) -> str:
    path = _shard(rng, folder)
    path.unlink()
    if rng.random() < 0.5:
        path.mkdir()
    return "refused"


def _swapped_shards(rng: random.Random, folder: Path) -> str:
    first, second = rng.sample(sorted(folder.glob("*.tfrecord")), 2)
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)
    return "refused"


def _cut_manifest(rng: random.Random, folder: Path) -> str:
    path = folder / "manifest.json"
    path.write_bytes(cut(rng, path.read_bytes().rstrip()))
    return "refused"


def _spoilt_manifest(rng: random.Random, folder: Path) -> str:
    path = folder / "manifest.json"
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return "either"


def _spoilt_tree(rng: random.Random, folder: Path) -> str:
    _save(folder, spoil_tree(rng, _manifest(folder)))
    return "either"


def _junk_manifest(rng: random.Random, folder: Path) -> str:
    junk = rng.choice((*JUNK, nested(5000), nested(500, dict), [1], {"classes": []}))
    try:
        _save(folder, junk)
    except RecursionError:
        (folder / "manifest.json").write_text("[" * 100_000 + "]" * 100_000)
    return "refused"


def _newer(rng: random.Random, folder: Path) -> str:
    version = rng.choice((2, 99, 0, -1, "1", None, 1.5, True))
    _save(folder, _manifest(folder) | {"schema_version": version})
    return "either" if version is True else "refused"


def _other_order(rng: random.Random, folder: Path) -> str:
    classes = rng.choice((["malignant", "benign"], ["benign"], [], ["benign", "x"]))
    _save(folder, _manifest(folder) | {"classes": classes})
    return "refused"


def _leads_outside(rng: random.Random, folder: Path) -> str:
    manifest = _manifest(folder)
    shard = rng.choice(manifest["shards"])
    moved = folder.parent / "outside.tfrecord"
    shutil.copy(folder / shard["name"], moved)
    shard["name"] = rng.choice((f"../{moved.name}", str(moved), f"./../{moved.name}"))
    _save(folder, manifest)
    return "refused"


def _wrong_counts(rng: random.Random, folder: Path) -> str:
    manifest = _manifest(folder)
    counts = manifest["counts"][rng.choice(SPLITS)]
    counts[rng.choice(CLASSES)] += rng.choice((-1, 1, 40, 10**12, -100))
    _save(folder, manifest)
    return "refused"


def _wrong_places(rng: random.Random, folder: Path) -> str:
    """A shard that is named for another split, or named twice."""
    manifest = _manifest(folder)
    if rng.random() < 0.5:
        shard = rng.choice(manifest["shards"])
        shard["split"] = rng.choice(("test", "validation", "train", "", "Train"))
        return _save(folder, manifest) or (
            "either" if manifest == _manifest(sound_set()) else "refused"
        )
    manifest["shards"].append(rng.choice(manifest["shards"]))
    _save(folder, manifest)
    return "refused"


def _foreign(rng: random.Random, folder: Path) -> str:
    """Whole shards of another schema, for which the manifest vouches."""
    import tensorflow as tf

    from gastric_keras.support.files import sha256_of

    def feature(value: Any) -> tf.train.Feature:
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        values = value if isinstance(value, list) else [value]
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    sound: dict[str, Any] = {
        "image": _records()[0].image,
        "label": 0,
        "case_id": b"c",
        "image_id": b"i",
        "x": 0,
        "y": 0,
        "mpp": 0.5,
    }
    key = rng.choice(sorted(sound))
    way = rng.choice(("gone", "type", "length", "other names", "no Example", "value"))
    changed = dict(sound)
    if way == "gone":
        del changed[key]
    elif way == "type":
        changed[key] = 1.5 if key != "mpp" else b"x"
    elif way == "length":
        changed[key] = [] if rng.random() < 0.5 else [1, 2]
    elif way == "other names":
        changed = {"image/encoded": sound["image"], "image/class/label": 0}
    elif way == "value":
        changed |= rng.choice(({"label": 2}, {"label": -1}, {"case_id": b"\xff\xfe"}))
    example = tf.train.Example(
        features=tf.train.Features(feature={k: feature(v) for k, v in changed.items()})
    )
    raw = rng.randbytes(50) if way == "no Example" else example.SerializeToString()
    manifest = _manifest(folder)
    shard = rng.choice(manifest["shards"])
    path = folder / shard["name"]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(shard["records"]):
            writer.write(raw)
    shard |= {"size": path.stat().st_size, "sha256": sha256_of(path)}
    _save(folder, manifest)
    return "refused"


_FAULTS: dict[str, Callable[[random.Random, Path], str]] = {
    "a bit of a shard flipped": _flipped_shard,
    "a shard cut short": _cut_shard,
    "a shard gone, or a folder": _no_shard,
    "two shards in each other's place": _swapped_shards,
    "manifest cut short": _cut_manifest,
    "bytes of the manifest spoilt": _spoilt_manifest,
    "nodes of the manifest replaced": _spoilt_tree,
    "another manifest altogether": _junk_manifest,
    "another schema version": _newer,
    "other classes, or their order": _other_order,
    "a shard outside the folder": _leads_outside,
    "counts that are not true": _wrong_counts,
    "a shard twice, or of another split": _wrong_places,
    "records of another schema": _foreign,
}

KIND = Kind("sets", write, read, needs_tensorflow=True)
