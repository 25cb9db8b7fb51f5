"""The patches of a slide: which, and in what order they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from gastric_keras.data.decode import decode
from gastric_keras.heatmap import patches as slide_patches
from gastric_keras.heatmap.patches import patch_batches, plan_patches
from gastric_keras.imaging.images import encode_png
from gastric_keras.imaging.slides import ArrayPicture, open_picture
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import noise, write_slide


def _tissue(height: int, width: int) -> npt.NDArray[np.uint8]:
    pixels = noise(0, height, width)
    pixels[..., 1] //= 3
    return pixels


@pytest.mark.parametrize("stride", [1.0, 0.5, 0.37])
def test_the_grid_covers_every_pixel_and_stays_inside(stride: float) -> None:
    plan = plan_patches(ArrayPicture(_tissue(70, 101)), 16, stride=stride, min_tissue=0)
    assert plan.step == round(16 * stride)
    covered = np.zeros((70, 101), bool)
    for x, y in plan.origins.tolist():
        assert 0 <= x <= 101 - 16 and 0 <= y <= 70 - 16
        covered[y : y + 16, x : x + 16] = True
    assert covered.all()
    assert (
        plan.in_grid == len(plan.origins) == len({*map(tuple, plan.origins.tolist())})
    )


def test_background_is_left_out() -> None:
    pixels = np.full((64, 96, 3), 240, np.uint8)
    pixels[:, 40:] = _tissue(64, 56)
    plan = plan_patches(ArrayPicture(pixels), 16, stride=1, min_tissue=0.4)
    # x = 32 is half tissue.
    assert {x for x, _ in plan.origins.tolist()} == {32, 48, 64, 80}
    assert (plan.in_grid, len(plan.origins)) == (24, 16)
    assert plan.tissue.min() == pytest.approx(0.5, abs=0.1)


def test_a_scale_that_is_wrong_by_far_is_told() -> None:
    class Huge(ArrayPicture):
        shape = (10**6, 10**6)

        def __init__(self) -> None:
            pass

    with pytest.raises(InputError, match="at most 5000000 patches.*side=2, stride=2"):
        plan_patches(Huge(), 2, stride=1, min_tissue=0)


@pytest.mark.parametrize("readers, batch_size", [(1, 8), (4, 8), (3, 1000)])
def test_each_patch_comes_once_and_is_itself(
    tmp_path: Path, readers: int, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_patches, "_BLOCK", 40)
    pixels = _tissue(150, 180)
    with open_picture(write_slide(tmp_path / "a.tif", pixels)) as slide:
        plan = plan_patches(slide, 16, stride=0.5, min_tissue=0)
        batches = list(
            patch_batches(
                slide,
                plan,
                patch_size=16,
                size=16,
                batch_size=batch_size,
                readers=readers,
            )
        )
    order = np.concatenate([indices for indices, _ in batches])
    assert sorted(order) == list(range(len(plan.origins)))
    # Block by block: a block is not come back to.
    blocks = [tuple(each) for each in (plan.origins[order] // 40).tolist()]
    changes = sum(a != b for a, b in zip(blocks, blocks[1:]))
    assert changes == len(set(blocks)) - 1
    for indices, patches in batches:
        assert len(indices) == len(patches) <= batch_size
        for (x, y), patch in zip(plan.origins[indices].tolist(), patches):
            np.testing.assert_array_equal(patch, pixels[y : y + 16, x : x + 16])


def test_patches_are_resized_as_in_training() -> None:
    picture = ArrayPicture(_tissue(64, 64))
    plan = plan_patches(picture, 32, stride=1, min_tissue=0)
    (indices, patches), *rest = patch_batches(
        picture, plan, patch_size=16, size=24, batch_size=10, readers=1
    )
    assert not rest
    for index, patch in zip(indices, patches):
        x, y = plan.origins[index]
        record = encode_png(picture.read(x, y, 32, 32, size=16))
        np.testing.assert_array_equal(patch, decode(record, 24))


class Slow(ArrayPicture):
    """Says who reads it; damaged at y = 32."""

    def __init__(self, pixels: npt.NDArray[np.uint8], *, is_damaged: bool) -> None:
        super().__init__(pixels)
        self.reading, self.reads = 0, 0
        self.is_damaged = is_damaged
        self.lock = threading.Lock()

    def read(self, *place: int, size: int | None = None) -> npt.NDArray[np.uint8]:
        with self.lock:
            self.reading += 1
            self.reads += 1
        time.sleep(0.02)
        with self.lock:
            self.reading -= 1
        if self.is_damaged and place[1] == 32:
            raise InputError("this slide is damaged")
        return super().read(*place, size=size)


def _stream_of(picture: Slow) -> Generator:
    plan = plan_patches(picture, 16, stride=1, min_tissue=0)
    return patch_batches(picture, plan, patch_size=16, size=16, batch_size=4, readers=3)


def test_who_stops_early_may_close_the_slide() -> None:
    picture = Slow(_tissue(256, 256), is_damaged=False)
    batches = _stream_of(picture)
    next(batches)
    # Read ahead, but not far: three readers, two that wait, one handed out.
    batches.close()
    assert picture.reading == 0 and 4 <= picture.reads <= 4 * 8
    reads = picture.reads
    time.sleep(0.1)
    assert picture.reads == reads


def test_damage_is_told_as_what_it_is() -> None:
    picture = Slow(_tissue(64, 64), is_damaged=True)
    with pytest.raises(InputError, match="^this slide is damaged$"):
        for _ in _stream_of(picture):
            pass
    assert picture.reading == 0
