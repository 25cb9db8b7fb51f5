"""The order, the size and the exactness of what training and evaluation read."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.fit import AugmentConfig
from gastric_keras.data.batch_part import BatchPart
from gastric_keras.data.contrast import paired_batches
from gastric_keras.data.decode import decode
from gastric_keras.data.pipeline import (
    batch_keys,
    eval_dataset,
    steps_per_epoch,
    train_dataset,
)
from gastric_keras.data.selection import Selection
from gastric_keras.records.manifest import read_manifest
from gastric_keras.records.offsets import record_offsets
from gastric_keras.records.schema import PatchRecord, record_key
from gastric_keras.records.subsets import key_of, subset_keys
from gastric_keras.support.errors import InputError
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    folder = tmp_path_factory.mktemp("sets") / "target"
    records = write_small_set(
        folder,
        "target",
        CLASSES,
        per_class={"train": 10, "validation": 3, "test": 3},
        subsets={"small": 4},
    )
    return folder, records


def _images(dataset: tf.data.Dataset) -> list[bytes]:
    return [image.tobytes() for x, _ in dataset.as_numpy_iterator() for image in x]


def test_eval_dataset_is_every_record_in_order(target: tuple[Path, list]) -> None:
    folder, records = target
    batches = eval_dataset(Selection(folder, "test"), image_size=64, batch_size=4)
    found = [
        (image_id.decode(), int(x), int(label))
        for b in batches.as_numpy_iterator()
        for image_id, x, label in zip(b["image_id"], b["x"], b["label"], strict=True)
    ]
    wanted = [
        (r.image_id, r.x, r.label) for r in records if r.case_id.startswith("test")
    ]
    assert found == wanted


def test_train_dataset_is_every_record_once_an_epoch(target: tuple[Path, list]) -> None:
    folder, records = target
    dataset = train_dataset(Selection(folder), image_size=64, batch_size=5, epochs=2)
    images = _images(dataset)
    wanted = Counter(_decoded(r) for r in records if r.case_id.startswith("train"))
    assert Counter(images[:20]) == wanted
    assert Counter(images[20:]) == wanted
    assert images[:20] != images[20:]


def test_resumed_epochs_equal_unbroken_ones(target: tuple[Path, list]) -> None:
    folder, _ = target
    settings = dict(
        image_size=64, batch_size=5, epochs=3, seed=7, augment_config=AugmentConfig()
    )
    unbroken = _images(train_dataset(Selection(folder), **settings))
    resumed = _images(train_dataset(Selection(folder), initial_epoch=2, **settings))
    assert unbroken[40:] == resumed
    assert unbroken == _images(train_dataset(Selection(folder), **settings))
    assert unbroken != _images(
        train_dataset(Selection(folder), **settings | {"seed": 8})
    )


def test_a_small_set_is_gone_through_several_times_an_epoch(
    target: tuple[Path, list],
) -> None:
    folder, _ = target
    # 20 patches are 4 batches of 5; 9 steps take three passes.
    settings = dict(image_size=64, batch_size=5, min_steps=9, seed=3)
    assert steps_per_epoch(Selection(folder), 5, min_steps=9) == 12
    assert steps_per_epoch(Selection(folder), 5, min_steps=4) == 4
    images = _images(train_dataset(Selection(folder), epochs=2, **settings))
    assert len(images) == 2 * 12 * 5
    passes = [images[i : i + 20] for i in range(0, 120, 20)]
    assert len({tuple(each) for each in passes}) == 6
    assert all(sorted(each) == sorted(passes[0]) for each in passes)
    later = train_dataset(Selection(folder), epochs=2, initial_epoch=1, **settings)
    assert _images(later) == images[60:]


@pytest.mark.parametrize("subset", [None, "small"])
def test_a_batch_can_be_named(target: tuple[Path, list], subset: str | None) -> None:
    folder, records = target
    selection = Selection(folder, subset=subset)
    order = dict(batch_size=4, seed=5)
    key_of = {_decoded(r): record_key(r.image_id, r.x, r.y) for r in records}
    batches = list(
        train_dataset(
            selection, image_size=64, epochs=2, min_steps=7, **order
        ).as_numpy_iterator()
    )
    for number in (0, 1, 6, len(batches) - 1):
        wanted = [key_of[image.tobytes()] for image in batches[number][0]]
        assert batch_keys(selection, number=number, **order) == wanted


@pytest.mark.parametrize("subset, is_paired", [(None, False), ("small", True)])
def test_the_parts_of_workers_side_by_side_are_the_batch_of_one(
    target: tuple[Path, list], subset: str | None, is_paired: bool
) -> None:
    folder, _ = target
    views = AugmentConfig(color=0.1, zoom=0.2)

    def batches(part: BatchPart) -> list:
        found = train_dataset(
            Selection(folder, subset=subset),
            image_size=64,
            batch_size=4,
            epochs=3,
            initial_epoch=1,
            seed=7,
            augment_config=None if is_paired else views,
            shuffle_buffer=9,
            part=part,
        )
        if is_paired:
            found = paired_batches(found, views, crop=0.3, seed=7, first=5, part=part)
        return list(found.as_numpy_iterator())

    whole, one, other = map(batches, (BatchPart(), BatchPart(0, 2), BatchPart(1, 2)))
    assert len(whole) == len(one) == len(other) >= 4
    for wanted, first, second in zip(whole, one, other, strict=True):
        assert len(first[0]) == len(second[0])
        assert np.array_equal(wanted[0], np.concatenate([first[0], second[0]]))
        if not is_paired:
            assert np.array_equal(wanted[1], np.concatenate([first[1], second[1]]))


def test_a_worker_reads_no_record_of_another(
    target: tuple[Path, list], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(target[0], tmp_path / "set"))
    order = dict(image_size=64, batch_size=4, epochs=1, seed=2)
    one, other = BatchPart(0, 2), BatchPart(1, 2)
    wanted = _images(train_dataset(folder, **order, part=one))
    keys = [
        key
        for number in range(5)
        for key in batch_keys(Selection(folder), number=number, batch_size=4, seed=2)[
            2:
        ]
    ]
    for path, offset, key in _places(folder):
        if key in keys:
            with path.open("r+b") as stream:
                stream.seek(offset + 40)
                stream.write(b"damaged")
    assert _images(train_dataset(folder, **order, part=one)) == wanted
    with pytest.raises(tf.errors.DataLossError):
        _images(train_dataset(folder, **order, part=other))


def _places(folder: Path) -> list[tuple[Path, int, str]]:
    """File, offset and key of each training record."""
    found = []
    for shard in read_manifest(folder).shards:
        if shard.split == "train":
            path = folder / shard.name
            raw = tf.data.TFRecordDataset(str(path)).map(key_of).as_numpy_iterator()
            for offset, key in zip(record_offsets(path), raw, strict=True):
                found.append((path, int(offset), key.decode()))
    return found


def test_a_subset_can_be_read_plain(target: tuple[Path, list]) -> None:
    folder, _ = target
    selection = Selection(folder, subset=4, subset_seed=1)
    dataset = eval_dataset(selection, image_size=64, batch_size=3)
    found = [
        record_key(name.decode(), int(x), int(y))
        for b in dataset.as_numpy_iterator()
        for name, x, y in zip(b["image_id"], b["x"], b["y"], strict=True)
    ]
    assert sorted(found) == subset_keys(folder, "train", 4, seed=1)


def _decoded(record: PatchRecord) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(record.image, np.uint8), 1)
    return pixels[..., ::-1].tobytes()


def test_incomplete_batches_are_dropped(target: tuple[Path, list]) -> None:
    folder, _ = target
    dataset = train_dataset(Selection(folder), image_size=64, batch_size=8, epochs=1)
    assert [x.shape for x, _ in dataset.as_numpy_iterator()] == [(8, 64, 64, 3)] * 2
    assert steps_per_epoch(Selection(folder), 8) == 2


def test_subsets_are_nested_and_balanced(target: tuple[Path, list]) -> None:
    folder, records = target
    label = {record_key(r.image_id, r.x, r.y): r.label for r in records}
    small, larger = (set(subset_keys(folder, "train", n)) for n in (4, 7))
    assert small < larger
    assert Counter(label[key] for key in small) == {0: 4, 1: 4}
    assert small == set(subset_keys(folder, "train", "small"))
    assert small != set(subset_keys(folder, "train", 4, seed=1))


def test_train_dataset_reads_the_subset_only(target: tuple[Path, list]) -> None:
    folder, records = target
    keys = set(subset_keys(folder, "train", "small"))
    wanted = Counter(
        _decoded(r) for r in records if record_key(r.image_id, r.x, r.y) in keys
    )
    selection = Selection(folder, subset="small")
    dataset = train_dataset(selection, image_size=64, batch_size=4, epochs=1)
    assert Counter(_images(dataset)) == wanted
    assert steps_per_epoch(selection, 4) == 2


def test_unknown_or_too_large_subset_is_refused(target: tuple[Path, list]) -> None:
    folder, _ = target
    with pytest.raises(InputError, match=r"\(small \(4\)\) or from 1 to 10 patches"):
        subset_keys(folder, "train", "tiny")
    with pytest.raises(InputError, match="target.subset must be .*, got 11"):
        subset_keys(folder, "train", 11)


def test_batch_larger_than_the_set_is_refused(target: tuple[Path, list]) -> None:
    folder, _ = target
    with pytest.raises(InputError, match="Set batch_size to 20 or less"):
        steps_per_epoch(Selection(folder), 21)


def test_decode_keeps_a_patch_of_the_right_size_to_the_bit() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    png = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    assert np.array_equal(decode(tf.constant(png), 32).numpy(), image)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_decode_resizes_without_aliasing(suffix: str) -> None:
    # A checkerboard of single pixels must come out gray, not black or white.
    board = np.indices((64, 64)).sum(0) % 2 * 255
    encoded = cv2.imencode(suffix, np.stack([board] * 3, -1).astype(np.uint8))[1]
    small = decode(tf.constant(encoded.tobytes()), 16).numpy()
    assert small.shape == (16, 16, 3) and small.dtype == np.uint8
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() < 12
