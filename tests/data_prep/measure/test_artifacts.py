"""Glass, ink and blur are told from tissue, and stain or contrast are not."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from data_prep.config.measures import ArtifactConfig
from data_prep.measure.artifacts import (
    BLANK,
    BLUR,
    PEN,
    artifact_reason,
    nonglass_share,
    pen_share,
    sharpness,
)
from gastric_keras.imaging.images import read_image
from gastric_keras.imaging.stain import rgb_from_stains
from gastric_keras.support.errors import InputError

Pixels = npt.NDArray[np.uint8]

INKS = {
    "green": (20, 130, 80),
    "blue": (30, 80, 180),
    "red": (200, 25, 45),
    "black": (30, 28, 32),
}


def draw_tissue(size: int = 128, *, stain: float = 1.0, seed: int = 0) -> Pixels:
    """Nuclei with sharp rims on eosin, with the grain of a camera."""
    rng = np.random.default_rng(seed)
    nuclei = np.zeros((size, size), np.uint8)
    for x, y in rng.integers(0, size, (size // 2, 2)).tolist():
        cv2.circle(nuclei, (x, y), 4, 1, -1)
    grain = rng.normal(1, 0.15, (size, size)).clip(0.3)
    amounts = np.stack(
        [(0.1 + 0.9 * nuclei) * grain, 0.4 * grain, np.zeros_like(grain)], axis=-1
    )
    return rgb_from_stains((stain * amounts).astype(np.float32))


def blur(patch: Pixels, sigma: float) -> Pixels:
    return cv2.GaussianBlur(patch, (0, 0), sigma)


def cut_up(picture: Pixels, size: int = 256) -> list[Pixels]:
    height, width = picture.shape[:2]
    return [
        picture[y : y + size, x : x + size]
        for y in range(0, height - size + 1, size)
        for x in range(0, width - size + 1, size)
    ]


@pytest.mark.parametrize("size", [64, 112, 256])
@pytest.mark.parametrize("stain", [0.5, 1.0, 1.5])
def test_tissue_is_kept_whatever_its_stain(size: int, stain: float) -> None:
    assert artifact_reason(draw_tissue(size, stain=stain)) is None


@pytest.mark.parametrize("level", [216, 240, 255])
def test_glass_is_blank(level: int) -> None:
    assert artifact_reason(np.full((64, 64, 3), level, np.uint8)) == BLANK


def test_the_share_of_tissue_is_counted_to_the_pixel() -> None:
    patch = np.full((10, 10, 3), 250, np.uint8)
    patch[0, :4] = (200, 120, 180)
    assert nonglass_share(patch) == 0.04
    assert artifact_reason(patch) == BLANK
    patch[0, 4] = (200, 120, 180)
    assert artifact_reason(patch) is None


@pytest.mark.parametrize("ink", INKS)
def test_ink_is_seen_on_glass_and_over_tissue(ink: str) -> None:
    for patch in (np.full((128, 128, 3), 245, np.uint8), draw_tissue()):
        patch[32:64] = INKS[ink]
        assert pen_share(patch) == 0.25
        assert artifact_reason(patch) == PEN


@pytest.mark.parametrize(
    "color",
    [(70, 40, 120), (225, 120, 170), (190, 95, 100), (60, 30, 90), (235, 235, 230)],
    ids=["hematoxylin", "eosin", "blood", "dark nuclei", "grey glass"],
)
def test_plain_colors_of_stain_are_no_ink(color: tuple[int, int, int]) -> None:
    assert pen_share(np.full((64, 64, 3), color, np.uint8)) == 0


def test_sharpness_does_not_change_with_the_stain() -> None:
    values = [sharpness(draw_tissue(stain=stain)) for stain in (0.5, 1.0, 1.5)]
    np.testing.assert_allclose(values, values[1], rtol=0.25)


def test_sharpness_falls_with_blur_and_blur_is_refused() -> None:
    patch = draw_tissue(256)
    values = [sharpness(blur(patch, sigma)) for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    for sigma in (2, 3, 4):
        assert artifact_reason(blur(patch, sigma)) == BLUR


def test_noise_after_the_blur_does_not_pass_for_detail() -> None:
    noise = np.random.default_rng(1).normal(0, 2, (256, 256, 3))
    noisy = (blur(draw_tissue(256), 3) + noise).clip(0, 255).astype(np.uint8)
    assert artifact_reason(noisy) == BLUR


def test_a_fine_scan_is_judged_at_half_a_micrometer() -> None:
    # The optics of a scan four times as fine resolve no more.
    patch = blur(cv2.resize(draw_tissue(128), (512, 512)), 2)
    assert artifact_reason(patch) == BLUR
    assert artifact_reason(patch, mpp=0.125) is None
    assert sharpness(patch, mpp=1.0) == sharpness(patch)


def test_where_there_is_nothing_to_focus_on_nothing_is_blurred() -> None:
    flat = np.full((64, 64, 3), (200, 120, 180), np.uint8)
    assert sharpness(flat) == math.inf
    assert sharpness(np.full((64, 64, 3), 255, np.uint8)) == math.inf
    assert artifact_reason(flat) is None


def test_every_check_can_be_switched_off() -> None:
    off = ArtifactConfig(min_tissue=0, max_pen=1, min_sharpness=0)
    assert artifact_reason(np.full((32, 32, 3), 255, np.uint8), off) is None
    assert artifact_reason(np.full((32, 32, 3), INKS["green"], np.uint8), off) is None
    assert artifact_reason(blur(draw_tissue(), 4), off) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 2), (7, 3), (300, 2)])
def test_small_patches_are_judged_too(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for patch in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        assert artifact_reason(patch, mpp=0.1) in (None, BLANK, PEN, BLUR)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"got shape=\(4, 4\)"):
        artifact_reason(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("name", "value"), [("min_tissue", -0.1), ("max_pen", 1.5), ("min_sharpness", 1.0)]
)
def test_limits_without_meaning_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must .*got {value}.*switch"):
        ArtifactConfig(**{name: value})


@pytest.mark.shared
def test_real_pen_and_glass_are_found(shared_data: Path) -> None:
    def reasons(name: str) -> list[str | None]:
        picture = read_image(shared_data / "odd_tiles" / f"{name}.png")
        return [artifact_reason(patch) for patch in cut_up(picture)]

    assert reasons("medium-nuclei-score-green-pen-level1")[:3] == [PEN] * 3
    assert PEN in reasons("high-nuclei-score-red-pen-level1")
    for name in ("no-tissue", "no-tissue2", "almost-white-1"):
        assert reasons(name) == [BLANK] * 4
    for name in ("medium-nuclei-score-level1", "medium-nuclei-score-level2"):
        assert reasons(name) == [None] * 4
    for path in (shared_data / "kather_tiff" / "08_EMPTY").iterdir():
        assert artifact_reason(read_image(path)) == BLANK


@pytest.mark.shared
def test_real_tissue_is_kept_and_its_blur_is_not(shared_data: Path) -> None:
    ebhi = sorted((shared_data / "ebhi" / "images").iterdir())[::40]
    nuclei = sorted((shared_data / "nuclei_masks" / "images").iterdir())[::4]
    patches = [read_image(path) for path in ebhi]
    patches += [patch for path in nuclei for patch in cut_up(read_image(path))]
    assert Counter(map(artifact_reason, patches)) == {None: len(patches)}
    for sigma, least in ((2, 0.85), (3, 1.0), (4, 1.0)):
        found = [artifact_reason(blur(patch, sigma)) == BLUR for patch in patches]
        assert np.mean(found) >= least
