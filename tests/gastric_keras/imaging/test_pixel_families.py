"""Pictures whose pixels mean something else: what a person sees in them is read."""

from __future__ import annotations

import random

import numpy as np
import pytest

from gastric_keras.imaging import stored
from gastric_keras.imaging.images import UnusableImage, decode
from gastric_keras.imaging.orientation import find_in_exif, turn_upright
from gastric_keras.imaging.tiff_tags import read_directories
from tests.faults import label_masks
from tests.faults import pixel_files as files
from tests.faults.kinds import judge
from tests.faults.pixel_families import FAMILIES

#: Members of each family that are drawn; ``make faults`` draws thousands.
MEMBERS = 16


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_read_right_or_refused(family: str) -> None:
    for seed in range(MEMBERS):
        data, truth, note = FAMILIES[family](random.Random(f"{family}{seed}"))
        if truth is None:
            with pytest.raises(UnusableImage, match="(?s) must .*, got .*picture"):
                decode(data, name="picture")
            continue
        found = decode(data, name="picture")
        assert np.abs(found.pixels.astype(int) - truth).max() <= 1, seed
        assert found.notes == ((note,) if note else ()), seed


@pytest.mark.parametrize("family", label_masks.FAMILIES)
def test_a_family_of_masks_is_read_as_stored_or_refused(
    family: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for seed in range(MEMBERS):
        folder = tmp_path_factory.mktemp("mask")
        data, labels = label_masks.FAMILIES[family](random.Random(f"{family}{seed}"))
        (folder / "mask.png").write_bytes(data)
        if labels is not None:
            np.save(folder / "truth.npy", labels)
        outcome, words = judge(label_masks.KIND, folder)
        assert outcome == ("refused" if labels is None else "right"), words


def test_orientations_turn_as_the_exif_standard_says() -> None:
    # Where row 0 and column 0 of the stored pixels lie in the picture.
    corner = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}
    stored_pixels = np.array([[1, 2, 2], [3, 0, 0]])
    for orientation, place in corner.items():
        found = turn_upright(stored_pixels, orientation)
        row, column = 0 if place[0] == "t" else -1, 0 if place[1] == "l" else -1
        assert found[row, column] == 1, orientation
        # From 5 on, the stored first row stands upright.
        first = found[:, column] if orientation >= 5 else found[row]
        assert sorted(first.tolist()) == [1, 2, 2], orientation


def test_exif_is_read_to_the_letter() -> None:
    for order in "<>":
        for kind in (3, 4):
            exif = files.write_exif(6, order=order, kind=kind, gap=4, inner=3)
            assert find_in_exif(exif) == 6
            assert find_in_exif(b"Exif\0\0" + exif) == 6
            for end in range(len(exif) - 30):
                assert find_in_exif(exif[:end]) in (None, 6)
    for value in (0, 9, 255):
        assert find_in_exif(files.write_exif(value)) is None
    assert find_in_exif(b"") is None


def test_directories_that_are_damaged_are_left_out() -> None:
    data = files.encode(np.zeros((4, 4), np.uint8), "TIFF")
    assert len(read_directories(data)) == 1
    for end in range(len(data)):
        read_directories(data[:end])
    # A chain that bites its own tail.
    page = files.tiff_tags((2, 2), bits=[8], photometric=1)
    looped = bytearray(files.write_tiff([(page, bytes(4))] * 2))
    second = read_directories(bytes(looped))[1]
    looped[second.link : second.link + 4] = (8).to_bytes(4, "little")
    assert len(read_directories(bytes(looped))) == 2


def test_a_picture_of_white_is_not_called_nearly_black() -> None:
    page = files.tiff_tags((2, 2), bits=[16], photometric=1)
    white = files.write_tiff([(page, b"\xff" * 8)])
    assert decode(white, name="a").notes == ()
    black = files.write_tiff([(page, bytes(8))])
    assert decode(black, name="a").notes == (stored.NEARLY_BLACK,)
