"""Eight ways of one picture are one; two pictures are two; time does not explode."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from gastric_keras.imaging.fingerprints import (
    MIN_CORRELATION,
    RADIUS,
    Pictures,
    correlate,
    eight_ways,
    find_alike,
    fingerprint,
    mean_color,
    no_pictures,
    shrink,
)
from gastric_keras.imaging.images import decode_image, read_image
from tests.data_prep.leaks.test_find import jpeg, picture
from tests.helpers.small_pictures import noise


def _pictures(*images: npt.NDArray[np.uint8]) -> Pictures:
    return Pictures(
        np.stack([shrink(image) for image in images]),
        np.stack([mean_color(image) for image in images]),
    )


def _ways(image: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    quarters = [np.rot90(image, k) for k in range(4)]
    return [np.ascontiguousarray(way) for q in quarters for way in (q, q[:, ::-1])]


@pytest.mark.parametrize("side", [8, 31, 32, 33, 96, 100])
def test_the_eight_ways_have_one_fingerprint(side: int) -> None:
    thumbnails = np.stack([shrink(way) for way in _ways(noise(3, side, side))])
    assert len({thumbnail.tobytes() for thumbnail in thumbnails}) == 8
    prints = fingerprint(thumbnails)
    assert prints.shape == (8, 20) and prints.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(prints, axis=1), 1, rtol=1e-5)
    # A grey level rounded the other way is all that may differ.
    np.testing.assert_allclose(prints, np.tile(prints[:1], (8, 1)), atol=5e-3)
    first = np.tile(thumbnails[:1], (8, 1, 1))
    assert correlate(first, thumbnails).min() > 0.995


def test_eight_ways_are_the_ways_of_a_square() -> None:
    square = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    found = {tuple(way.reshape(-1).tolist()) for way in eight_ways(square)}
    assert found == {
        (0, 1, 2, 3),
        (1, 0, 3, 2),
        (1, 3, 0, 2),
        (3, 1, 2, 0),
        (3, 2, 1, 0),
        (2, 3, 0, 1),
        (2, 0, 3, 1),
        (0, 2, 1, 3),
    }


def test_brightness_and_contrast_change_no_fingerprint() -> None:
    thumbnail = (shrink(picture(0)) // 2)[None].astype(np.uint8)
    np.testing.assert_allclose(
        fingerprint(np.add(thumbnail, 40, dtype=np.uint8)),
        fingerprint(thumbnail),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        fingerprint(np.multiply(thumbnail, 2, dtype=np.uint8)),
        fingerprint(thumbnail),
        atol=1e-5,
    )


def test_copies_are_found_and_other_pictures_are_not() -> None:
    first = _pictures(*map(picture, range(30)))
    copies = [
        decode_image(jpeg(cv2.resize(way, (size, size)), quality), name="copy")
        for quality, size in ((60, 96), (75, 87), (90, 105))
        for way in _ways(picture(7))
    ]
    others = [picture(seed) for seed in range(100, 130)]
    found = find_alike(first, _pictures(*others, *copies))
    assert {(one, other) for one, other, _ in found} == {
        (7, row) for row in range(30, 54)
    }
    assert all(alike.correlation > 0.95 for alike in found)
    assert [a.correlation for a in found] == sorted(
        (a.correlation for a in found), reverse=True
    )


def test_the_same_shapes_in_other_colors_are_another_picture() -> None:
    grey = picture(1)
    tinted = grey.copy()
    # As bright to the eye, but redder and less blue: another stain, another slide.
    tinted[..., 2] = np.clip(tinted[..., 2].astype(int) - 60, 0, 255)
    assert len(find_alike(_pictures(grey), _pictures(grey))) == 1
    assert find_alike(_pictures(grey), _pictures(tinted)) == []


def test_flat_patches_take_no_part() -> None:
    rng = np.random.default_rng(0)
    flat = rng.integers(238, 242, (96, 96, 3)).astype(np.uint8)
    sides = _pictures(flat, picture(0)), _pictures(picture(0), flat, flat)
    assert sides[0].is_flat.tolist() == [True, False]
    assert [(a.first, a.second) for a in find_alike(*sides)] == [(1, 0)]
    assert find_alike(_pictures(flat), sides[1]) == []
    assert find_alike(no_pictures(), sides[1]) == []
    assert find_alike(sides[1], no_pictures()) == []
    assert fingerprint(no_pictures().thumbnails).shape == (0, 20)


def test_flat_patches_are_told_in_little_memory() -> None:
    thumbnails = np.zeros((20_000, 32, 32), np.uint8)
    thumbnails[1::2, ::2] = 200
    many = Pictures(thumbnails, np.zeros((20_000, 3), np.float32))
    tracemalloc.start()
    is_flat = many.is_flat
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert is_flat.tolist() == [True, False] * 10_000
    # All at once they took 328 MB, 16 bytes a pixel.
    assert peak < 50e6


def test_a_border_of_tissue_is_no_picture_of_its_own() -> None:
    """Two patches half glass and half tissue are alike in the large only."""

    def border(seed: int) -> npt.NDArray[np.uint8]:
        tissue = noise(seed, 24, 24) // 2 + 40
        image = cv2.resize(tissue, (96, 96), interpolation=cv2.INTER_NEAREST)
        image[:, :48] = 240
        return image

    first, second = _pictures(border(1)), _pictures(border(2))
    assert np.linalg.norm(first.prints - second.prints) < RADIUS
    assert correlate(first.thumbnails, second.thumbnails)[0] < MIN_CORRELATION
    assert find_alike(first, second) == []


def test_one_picture_many_times_stays_small() -> None:
    many = Pictures(
        np.tile(shrink(picture(0)), (3000, 1, 1)), np.zeros((3000, 3), np.float32)
    )
    found = find_alike(many, many)
    assert len(found) == 3000 * 8
    assert {alike.second for alike in found} == set(range(3000))


@pytest.mark.shared
def test_real_patches_alike_are_copies_only(shared_data: Path) -> None:
    with open(shared_data / "ebhi" / "index.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    train = [r for r in rows if r["fold"] == "train"][::4]
    test = [r for r in rows if r["fold"] == "test"][::4]
    folder = shared_data / "ebhi"
    images = [read_image(folder / row["path"]) for row in train]
    others = [read_image(folder / row["path"]) for row in test]
    copies = [
        decode_image(jpeg(_ways(image)[i % 8], 60), name="copy")
        for i, image in enumerate(images)
    ]
    found = find_alike(_pictures(*images), _pictures(*others, *copies))
    assert [(a.first, a.second) for a in sorted(found)] == [
        (i, len(others) + i) for i in range(len(images))
    ]
