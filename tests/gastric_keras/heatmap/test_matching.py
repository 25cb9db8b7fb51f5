"""A slide whose scale cannot be, or is not that of the training patches, is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.heatmap.matching import patch_side
from gastric_keras.imaging.slides import ArrayPicture

#: Of a model as far as its scale goes: patches of 100 px at 0.5 µm/px.
MODEL: Any = SimpleNamespace(mpp=0.5, patch_size=100)


def _slide(mpp: float = 0.0, impossible_mpp: float = 0.0) -> ArrayPicture:
    picture = ArrayPicture(np.zeros((8, 8, 3), np.uint8))
    picture.mpp, picture.impossible_mpp = mpp, impossible_mpp
    return picture


@pytest.mark.parametrize(
    "side, slide, wanted, words",
    [
        (None, _slide(0.25), 200, ""),
        (200, _slide(0.25), 200, ""),
        # A little more or less is a choice; the next objective is a mistake.
        (250, _slide(0.25), 250, ""),
        (400, _slide(0.25), 400, "shows 100 µm of tissue and one of the training"),
        (100, _slide(0.05), 100, "beyond what pathology scanners give"),
        (100, _slide(0.0, 352.8), 100, "gives 352.8 µm/px, a scale that no microscope"),
        (100, _slide(), 100, ""),
    ],
)
def test_doubtful_scales_are_told(
    side: int | None,
    slide: ArrayPicture,
    wanted: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert patch_side(HeatmapConfig(side=side), MODEL, slide)[0] == wanted
    said = capsys.readouterr().err
    assert words in said and bool(said) is bool(words)


def test_what_the_user_says_of_the_scale_wins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = HeatmapConfig(slide_mpp=0.25)
    assert patch_side(config, MODEL, _slide(0.0, 352.8)) == (200, 0.25)
    assert not capsys.readouterr().err
