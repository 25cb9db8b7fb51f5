"""What is measured on the pixels of a set, and that each patch is measured once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gastric_keras.data.looks import measure_stain, read_appearance, read_looks
from gastric_keras.imaging.stain import rgb_from_stains
from gastric_keras.support.errors import InputError
from tests.helpers.small_sets import write_small_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("looks") / "set"
    write_small_set(folder, "target", ("a", "b"), per_class={"train": 4, "test": 2})
    return folder


def test_stain_is_that_of_the_tissue_alone() -> None:
    amounts = np.zeros((8, 8, 3), np.float32)
    amounts[:4, :, 0], amounts[:4, :, 1] = 0.6, 0.4
    mean, deviation, pink, _, share = measure_stain(rgb_from_stains(amounts))
    assert (mean, pink) == pytest.approx((0.6, 0.4), abs=0.01)
    assert deviation < 0.01 and share == 0.5
    glass = measure_stain(np.full((8, 8, 3), 255, np.uint8))
    assert np.isnan(glass[:4]).all() and glass[4] == 0


def test_every_patch_is_looked_at_once_in_parts_or_whole(folder: Path) -> None:
    parts = list(read_looks(folder, ["train", "test"], chunk=5))
    (whole,) = read_looks(folder, ["train", "test"], chunk=None)
    assert [len(part.keys) for part in parts] == [5, 5, 2]
    assert tuple(key for part in parts for key in part.keys) == whole.keys
    assert len(set(whole.keys)) == len(set(whole.hashes)) == 12
    found = read_appearance(folder, ["test"])
    assert found.values.shape == (4, 5) and set(found.width_um) == {32.0}
    assert set(found.cases) <= set(whole.cases)


def test_a_damaged_record_is_an_error(folder: Path) -> None:
    shard = next(folder.glob("test-*.tfrecord"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 255
    shard.write_bytes(bytes(data))
    with pytest.raises(InputError, match="whole records with a picture that decodes"):
        read_appearance(folder, ["test"])
