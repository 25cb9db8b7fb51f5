"""The grid and the rules, on maps worked by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from data_prep.config.sets import PatchRules
from data_prep.sets.patches import (
    LOW_COVERAGE,
    LOW_PURITY,
    TOO_SMALL,
    PatchRef,
    class_shares,
    cut_patch,
    grid_origins,
    label_patches,
)
from gastric_keras.imaging.slides import ArrayPicture
from gastric_keras.support.errors import InputError

CLASSES = ("a", "b")


def test_the_grid_stays_inside() -> None:
    assert grid_origins((4, 5), 2).tolist() == [[0, 0], [2, 0], [0, 2], [2, 2]]
    assert grid_origins((2, 4), 2, stride=1).tolist() == [[0, 0], [1, 0], [2, 0]]
    assert grid_origins((3, 3), 3).tolist() == [[0, 0]]
    assert grid_origins((3, 2), 3).shape == (0, 2)
    with pytest.raises(InputError, match="got patch_size=2, stride=0"):
        grid_origins((4, 4), 2, stride=0)


def test_shares_equal_counting() -> None:
    class_map = np.random.default_rng(0).integers(0, 4, (13, 17)).astype(np.uint8)
    origins = grid_origins((13, 17), 5, stride=3)
    shares = class_shares(class_map, origins, 5, num_classes=3)
    for (x, y), row in zip(origins, shares):
        patch = class_map[y : y + 5, x : x + 5]
        assert row.tolist() == [(patch == n).sum() / 25 for n in (1, 2, 3)]


def test_rules_keep_the_clear_and_name_the_rest() -> None:
    class_map = np.array(
        [
            [1, 1, 1, 1, 0, 0, 0, 0],
            [1, 1, 1, 2, 0, 2, 0, 0],
            [2, 2, 1, 2, 2, 2, 0, 0],
            [2, 2, 2, 1, 2, 0, 0, 0],
        ],
        np.uint8,
    )
    # 2 px patches: pure 1; three of four 1; a quarter covered; nothing;
    # pure 2; half and half; three of four covered and pure 2; nothing.
    refs, dropped = label_patches(
        class_map, 2, classes=CLASSES, rules=PatchRules(0.75, 0.75)
    )
    assert refs == [
        PatchRef(0, 0, 0),
        PatchRef(2, 0, 0),
        PatchRef(0, 2, 1),
        PatchRef(4, 2, 1),
    ]
    assert dropped == Counter({LOW_COVERAGE: 3, LOW_PURITY: 1})
    refs, dropped = label_patches(
        class_map, 2, classes=CLASSES, rules=PatchRules(0.0, 0.75, {"a": 1.0})
    )
    assert refs == [
        PatchRef(0, 0, 0),
        PatchRef(4, 0, 1),
        PatchRef(0, 2, 1),
        PatchRef(4, 2, 1),
    ]
    assert dropped == Counter({LOW_COVERAGE: 2, LOW_PURITY: 2})


def test_an_image_smaller_than_a_patch_is_named() -> None:
    found = label_patches(
        np.ones((3, 3), np.uint8), 4, classes=CLASSES, rules=PatchRules()
    )
    assert found == ([], Counter({TOO_SMALL: 1}))


def test_cut_patch() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    picture = ArrayPicture(pixels)
    assert cut_patch(picture, PatchRef(1, 2, 0), 2, None).tolist() == (
        pixels[2:4, 1:3].tolist()
    )
    whole = cut_patch(picture, PatchRef(0, 0, 0), 0, None)
    np.testing.assert_array_equal(whole, pixels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_coverage": 1.5}, "min_coverage must be .*got 1.5"),
        ({"min_purity": 0.5}, "got min_purity=0.5"),
        ({"class_purity": {"a": 2.0}}, "got a=2.0"),
    ],
)
def test_rules_are_checked(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PatchRules(**options)
