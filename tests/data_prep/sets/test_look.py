"""Scales at which nuclei are measured, told where they are too coarse."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config.sets import NucleiSetConfig, SourceConfig
from data_prep.sets.found import Part
from data_prep.sets.look import TOO_COARSE, find_nuclei
from data_prep.sources.pictures import ImageSource
from gastric_keras.imaging.pillow import UnusableImage
from tests.helpers.small_pictures import noise, write_picture


@pytest.mark.parametrize(
    "mpp, stored_size, is_told",
    [(1.5, None, False), (1.6, None, True), (0.8, 16, True), (1.6, 64, False)],
)
def test_too_coarse_a_scale_for_nuclei_is_told(
    tmp_path: Path, mpp: float, stored_size: int | None, is_told: bool
) -> None:
    path = write_picture(tmp_path / "a.png", noise(0, 64, 64))
    config = NucleiSetConfig(
        sources=(SourceConfig(images=str(tmp_path), mpp=mpp),),
        patch_size=32,
        stored_size=stored_size,
    )
    found = find_nuclei(config, Part(ImageSource(path, "a.png", "a")))
    assert (TOO_COARSE in found.notes) == is_told


@pytest.mark.parametrize("mpp, said", [(None, "with no scale"), (1.6, "with 1.6 µm")])
def test_measures_are_of_nuclei_that_can_be_measured(
    tmp_path: Path, mpp: float | None, said: str
) -> None:
    path = write_picture(tmp_path / "a.png", noise(0, 64, 64))
    config = NucleiSetConfig(
        sources=(SourceConfig(images=str(tmp_path), mpp=mpp),),
        patch_size=32,
        task="measures",
    )
    with pytest.raises(UnusableImage, match=f"at most 1.5 µm/px .*{said}"):
        find_nuclei(config, Part(ImageSource(path, "a.png", "a")))
