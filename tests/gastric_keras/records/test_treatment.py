"""What was done to the pixels is read from the manifest; unlike sets do not meet."""

from __future__ import annotations

import dataclasses

import pytest

from gastric_keras.records.manifest import Manifest
from gastric_keras.records.treatment import (
    Treatment,
    check_equal_scales,
    check_equal_stains,
    scale_warnings,
    treatment_of,
)
from gastric_keras.support.errors import InputError

MANIFEST = Manifest("tissue", ("a", "b"), {}, {}, 112, 0.5, {}, {}, ())


def test_a_manifest_tells_what_was_done() -> None:
    config = {"normalization": "macenko", "not_normalized": ["x"], "not_square": 3}
    made = treatment_of(dataclasses.replace(MANIFEST, config=config))
    assert made == Treatment("macenko", 0.5, 112, 1, 3)
    assert made.width_um == 56
    assert "macenko (1 picture could not" in made.words
    assert treatment_of(MANIFEST) == Treatment(None, 0.5, 112)


@pytest.mark.parametrize("mid, target", [(None, "macenko"), ("reinhard", "macenko")])
def test_unequal_stains_are_refused(mid: str | None, target: str) -> None:
    with pytest.raises(InputError, match="got mid=.*, target='macenko'.*allow_unequal"):
        check_equal_stains(Treatment(mid), Treatment(target))
    check_equal_stains(Treatment(target), Treatment(target))


@pytest.mark.parametrize(
    "mid, target, warns",
    [
        ((0.5, 112), (0.5, 112), False),
        # The same tissue in more pixels: the network sees it at one size.
        ((0.25, 224), (0.5, 112), False),
        ((0.5, 112), (0.27, 112), True),
        ((5.0, 112), (0.5, 112), True),
        ((0.05, 112), (0.5, 112), True),
        # Another objective of the same row of scanners.
        ((0.25, 112), (0.26, 112), False),
        # What is not known cannot be compared, and one that is known says so.
        ((0.0, 112), (0.5, 112), True),
        ((0.5, 0), (0.5, 112), True),
        ((0.0, 112), (0.0, 112), False),
    ],
)
def test_unlike_scales_are_told(
    mid: tuple[float, int], target: tuple[float, int], warns: bool
) -> None:
    made = {
        "mid-level set": Treatment(None, *mid),
        "target set": Treatment(None, *target),
    }
    assert bool(list(scale_warnings(made))) is warns


@pytest.mark.parametrize(
    "mid, target, is_refused",
    [
        ((0.5, 112), (0.5, 112), False),
        ((0.5, 112), (2.0, 112), False),
        ((5.0, 112), (0.5, 112), True),
        ((0.05, 112), (0.5, 112), True),
        ((0.0, 112), (0.5, 112), False),
        # Ten times the µm/px in a tenth of the px is the same tissue.
        ((5.0, 20), (0.5, 200), False),
    ],
)
def test_scales_beyond_compare_are_refused(
    mid: tuple[float, int], target: tuple[float, int], is_refused: bool
) -> None:
    made = Treatment(None, *mid), Treatment(None, *target)
    if not is_refused:
        check_equal_scales(*made)
        return
    with pytest.raises(
        InputError, match="got mid=.*, target=56.0.*allow_unequal_scale"
    ):
        check_equal_scales(*made)


def test_squeezed_patches_are_counted() -> None:
    (warning,) = scale_warnings({"target set": Treatment(not_square=7)})
    assert warning.startswith("7 patches of the target set are not square")
