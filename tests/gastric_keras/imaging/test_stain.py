"""Stains: by hand, against scikit-image, and there and back again."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import hed_from_rgb, rgb2hed

from gastric_keras.imaging import stain
from gastric_keras.support.errors import InputError


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (17, 23, 3), dtype=np.uint8)


def test_the_paper_s_matrix_is_that_of_scikit_image() -> None:
    assert np.abs(stain.STAINS_FROM_OD - hed_from_rgb.T).max() <= 0.013


def test_optical_density_by_hand() -> None:
    image = np.array([[[255, 0, 1], [51, 128, 255]]], np.uint8)
    expected = [
        [[0, np.log10(255), np.log10(255)], [np.log10(5), np.log10(255 / 128), 0]]
    ]
    np.testing.assert_allclose(stain.optical_density(image), expected, atol=1e-5)


def test_amounts_by_hand() -> None:
    # 10^-0.5 of the light in red only: OD = (0.5, 0, 0), so C is half D's first column.
    red = round(255 * 10**-0.5)
    density = -np.log10(red / 255)
    amounts = stain.separate_stains(np.array([[[red, 255, 255]]], np.uint8))
    np.testing.assert_allclose(
        amounts[0, 0], density * np.array([1.88, -1.02, -0.55]), atol=1e-6
    )


def test_amounts_follow_scikit_image_but_for_its_scale(noise: np.ndarray) -> None:
    noise = np.maximum(noise, 1)
    # rgb2hed divides densities by log(1e-6) and cuts what is negative.
    theirs = rgb2hed(noise) * -np.log10(1e-6)
    ours = np.maximum(stain.separate_stains(noise), 0)
    # D's rows differ from theirs by 0.0123 at most, densities go up to 2.41.
    assert np.abs(ours - theirs).max() < 0.0123 * 2.41 * 3
    assert np.abs(ours - theirs).mean() < 0.004


def test_there_and_back_again(noise: np.ndarray) -> None:
    again = stain.rgb_from_stains(stain.separate_stains(noise))
    assert np.abs(again.astype(int) - noise).max() <= 1


def test_amounts_survive_a_picture() -> None:
    rng = np.random.default_rng(1)
    amounts = rng.uniform(0, 0.6, (9, 9, 3)).astype(np.float32)
    again = stain.separate_stains(stain.rgb_from_stains(amounts))
    # Half a grey level at the darkest, through D's largest row.
    assert np.abs(again - amounts).mean() < 0.01


def test_the_short_way_to_hematoxylin_is_the_long_one(noise: np.ndarray) -> None:
    np.testing.assert_allclose(
        stain.hematoxylin(noise), stain.separate_stains(noise)[:, :, 0], atol=1e-5
    )


def test_transmittance_by_hand() -> None:
    amount = np.array([[0.0, 1.0, 0.5, -2.0]], np.float32)
    np.testing.assert_allclose(
        stain.transmittance_from_amount(amount), [[1, 0.1, 10**-0.5, 1]], rtol=1e-6
    )
    np.testing.assert_allclose(
        stain.transmittance_from_amount(amount, unit=0.5),
        [[1, 0.01, 0.1, 1]],
        rtol=1e-6,
    )


def test_transmittance_stays_in_range(noise: np.ndarray) -> None:
    light = stain.hematoxylin_transmittance(noise)
    assert light.dtype == np.float32
    assert 0 <= light.min() and light.max() <= 1


def test_stains_do_not_know_their_neighbors(noise: np.ndarray) -> None:
    flipped = stain.separate_stains(np.ascontiguousarray(noise[::-1, ::-1]))
    np.testing.assert_allclose(
        flipped[::-1, ::-1], stain.separate_stains(noise), atol=1e-6
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError) as error:
        stain.separate_stains(image)
    assert str(error.value).startswith(
        "The image must be RGB of shape (height, width, 3)"
    )
    assert f"got shape={image.shape}" in str(error.value)


def test_amounts_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"got shape=\(4, 4\)"):
        stain.rgb_from_stains(np.zeros((4, 4), np.float32))


@pytest.mark.parametrize("unit", [0.0, -1.0, float("nan")])
def test_a_unit_that_is_not_positive_is_refused(unit: float) -> None:
    with pytest.raises(InputError, match=f"unit must be above 0, got {unit}"):
        stain.hematoxylin_transmittance(np.zeros((2, 2, 3), np.uint8), unit=unit)
