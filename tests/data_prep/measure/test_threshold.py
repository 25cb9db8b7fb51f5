"""Phansalkar's threshold: by hand, and against the formula window by window."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from data_prep.measure.threshold import threshold_phansalkar
from gastric_keras.support.errors import InputError


def phansalkar_of(values: np.ndarray) -> float:
    mean, deviation = values.mean(), values.std()
    return mean * (1 + 2 * np.exp(-10 * mean) + 0.25 * (deviation / 0.5 - 1))


def test_a_window_by_hand() -> None:
    image = np.array([[0.1, 0.9, 0.9], [0.9, 0.1, 0.9], [0.9, 0.9, 0.9]], np.float32)
    # Mean 6.5 / 9 and variance 5.69 / 9 less its square; the window is the image.
    mean = 6.5 / 9
    deviation = (5.69 / 9 - mean**2) ** 0.5
    expected = mean * (1 + 2 * np.exp(-10 * mean) + 0.25 * (deviation / 0.5 - 1))
    found = threshold_phansalkar(image, radius=1)[1, 1]
    assert found == pytest.approx(expected, abs=1e-6)
    assert image[1, 1] < found < image[1, 2]


@pytest.mark.parametrize(
    ("shape", "radius"), [((20, 30), 3), ((9, 40), 15), ((1, 1), 4)]
)
def test_every_window_follows_the_formula(shape: tuple[int, int], radius: int) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    side = 2 * radius + 1
    windows = sliding_window_view(
        np.pad(image.astype(np.float64), radius, mode="symmetric"), (side, side)
    )
    expected = np.array([[phansalkar_of(window) for window in row] for row in windows])
    found = threshold_phansalkar(image, radius=radius)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_constants_of_another_method_give_that_method() -> None:
    # Without p this is Sauvola's threshold.
    from skimage.filters import threshold_sauvola

    image = np.random.default_rng(1).random((30, 30)).astype(np.float32)
    ours = threshold_phansalkar(image, radius=4, k=0.2, r=0.5, p=0.0)
    theirs = threshold_sauvola(image, window_size=9, k=0.2, r=0.5)
    np.testing.assert_allclose(ours[4:-4, 4:-4], theirs[4:-4, 4:-4], atol=1e-5)


def test_a_flat_picture_has_no_objects_but_where_it_is_dark() -> None:
    grey, dark = np.full((2, 9, 9), [[[0.8]], [[0.1]]], np.float32)
    assert not (grey < threshold_phansalkar(grey, radius=2)).any()
    # The exponential lifts the threshold in the dark: 1 + 2 exp(-1) - 0.25 > 1.
    assert (dark < threshold_phansalkar(dark, radius=2)).all()


def test_flips_commute() -> None:
    image = np.random.default_rng(2).random((25, 31)).astype(np.float32)
    expected = threshold_phansalkar(image, radius=6)[::-1]
    flipped = threshold_phansalkar(np.ascontiguousarray(image[::-1]), radius=6)
    np.testing.assert_allclose(flipped, expected, atol=1e-5)


@pytest.mark.parametrize(
    "image", [np.zeros((3, 3, 3), np.float32), np.zeros((3, 3), np.uint8)]
)
def test_what_is_no_plane_of_floats_is_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError) as error:
        threshold_phansalkar(image)
    assert f"got image with shape={image.shape}, dtype={image.dtype}" in str(
        error.value
    )


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="radius must be 1 px or more, got 0"):
        threshold_phansalkar(np.zeros((3, 3), np.float32), radius=0)
