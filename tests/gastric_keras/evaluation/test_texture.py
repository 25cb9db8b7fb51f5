"""Each feature against values worked by hand, and under turns and mirrors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from skimage.feature import graycoprops

from gastric_keras.evaluation.baselines import perception, texture
from gastric_keras.evaluation.baselines.cooccurrence import (
    ESGIAR_PROPERTIES,
    HARALICK_NAMES,
    cooccurrence,
    esgiar_features,
    glcm_features,
    haralick,
    haralick_features,
)

LN2 = np.log(2)


def noise(seed: int = 0, size: int = 24) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size, size)).astype(np.uint8)


#: Figure 3 of Haralick et al. 1973: gray levels 0 to 3, and the counts of its text.
FIGURE_3 = np.array(
    [[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]], dtype=np.uint8
)
COUNTS = {
    "horizontal": [[4, 2, 1, 0], [2, 4, 0, 0], [1, 0, 6, 1], [0, 0, 1, 2]],
    "vertical": [[6, 0, 2, 0], [0, 4, 2, 0], [2, 2, 2, 2], [0, 0, 2, 0]],
    "falling": [[2, 1, 3, 0], [1, 2, 1, 0], [3, 1, 0, 2], [0, 0, 2, 0]],
    "rising": [[4, 1, 0, 0], [1, 2, 2, 0], [0, 2, 4, 1], [0, 0, 1, 0]],
}


def test_cooccurrence_is_that_of_the_paper() -> None:
    found = cooccurrence(FIGURE_3 * 64 + 5, levels=4, distances=(1,))
    assert found.shape == (4, 4, 1, 4)
    wanted = [np.array(counts) / np.sum(counts) for counts in COUNTS.values()]
    np.testing.assert_allclose(found[:, :, 0, 0], wanted[0])
    np.testing.assert_allclose(found[:, :, 0, 1], wanted[1])
    diagonals = found[:, :, 0, 2], found[:, :, 0, 3]
    for order in (wanted[2:], wanted[:1:-1]):
        if np.allclose(diagonals[0], order[0]):
            break
    np.testing.assert_allclose(diagonals, order)


def test_a_diagonal_step_goes_as_far_along_both_axes() -> None:
    gray = np.zeros((6, 6), np.uint8)
    gray[0, 0] = gray[5, 5] = 255
    falling = cooccurrence(gray, levels=2, distances=(5,))[1, 1, 0]
    # Two corners 5 px apart both ways: the one falling pair is bright and bright.
    assert sorted(falling) == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "p, wanted",
    [
        (  # The level of one pixel is that of the other.
            [[1 / 2, 0], [0, 1 / 2]],
            [0.5, 0, 1, 0.25, 1, 3, 1, LN2, LN2, 0, 0, -1, np.sqrt(0.75), 1],
        ),
        (  # It says nothing about the other.
            [[1 / 4, 1 / 4], [1 / 4, 1 / 4]],
            [0.25, 0.5, 0, 0.25, 0.75, 3, 0.5, 1.5 * LN2, 2 * LN2, 0.25, LN2, 0, 0, 0],
        ),
        (  # One level only.
            [[0, 0], [0, 1]],
            [1, 0, 1, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
    ],
)
def test_haralick_by_hand(p: list, wanted: list[float]) -> None:
    assert len(HARALICK_NAMES) == 14
    np.testing.assert_allclose(haralick(np.array(p, float)), wanted, atol=1e-12)


def test_haralick_on_figure_3() -> None:
    p = np.array(COUNTS["horizontal"]) / 24
    found = dict(zip(HARALICK_NAMES, haralick(p), strict=True))
    assert found["angular_second_moment"] == pytest.approx(84 / 576)
    # Six pairs differ by one level, two by two: 6/24 + 4 · 2/24.
    assert found["contrast"] == pytest.approx(14 / 24)
    # Of i + j = 2 … 8 there are 4, 4, 6, 0, 6, 2, 2.
    assert found["sum_average"] == pytest.approx((8 + 12 + 24 + 36 + 14 + 16) / 24)
    # Of |i - j| = 0, 1, 2 there are 16, 6, 2: mean 10/24, mean square 14/24.
    assert found["difference_variance"] == pytest.approx(14 / 24 - (10 / 24) ** 2)
    matrix = p[:, :, None, None]
    for ours, theirs in {
        "contrast": "contrast",
        "correlation": "correlation",
        "variance": "variance",
        "inverse_difference_moment": "homogeneity",
        "angular_second_moment": "ASM",
        "entropy": "entropy",
    }.items():
        assert found[ours] == pytest.approx(graycoprops(matrix, theirs)[0, 0])
    # The paper's own words for f14: the second largest eigenvalue of Q, its root.
    x, y = p.sum(axis=1), p.sum(axis=0)
    q = np.einsum("ik,jk,i,k->ij", p, p, 1 / x, 1 / y)
    second = np.sort(np.linalg.eigvals(q).real)[-2]
    assert found["maximal_correlation"] == pytest.approx(np.sqrt(second))


def test_the_six_features_of_esgiar_by_hand() -> None:
    """Stripes 1 px wide: three of four directions see the other level, one its own."""
    gray = np.tile(np.array([0, 255], np.uint8), (20, 10))
    found = dict(zip(ESGIAR_PROPERTIES, esgiar_features(gray), strict=True))
    # Of 16 levels p(0, 15) = p(15, 0) = 3/8 and p(0, 0) = p(15, 15) = 1/8.
    assert found["ASM"] == pytest.approx(2 * (3 / 8) ** 2 + 2 * (1 / 8) ** 2)
    wanted = -(3 / 4 * np.log(3 / 8) + 1 / 4 * np.log(1 / 8))
    assert found["entropy"] == pytest.approx(wanted)
    assert found["contrast"] == pytest.approx(225 * 3 / 4)
    assert found["dissimilarity"] == pytest.approx(15 * 3 / 4)
    assert found["homogeneity"] == pytest.approx(1 / 4 + 3 / 4 / 226)
    assert found["correlation"] == pytest.approx(1 / 4 - 3 / 4)


def test_haralick_features_are_mean_and_range_over_the_directions() -> None:
    gray = noise(3)
    matrices = cooccurrence(gray, levels=16, distances=(1,))
    each = np.array([haralick(matrices[:, :, 0, k]) for k in range(4)])
    found = haralick_features(gray)
    np.testing.assert_allclose(found[:14], each.mean(axis=0))
    np.testing.assert_allclose(found[14:], each.max(axis=0) - each.min(axis=0))


def test_stripes_have_the_contrast_of_stripes() -> None:
    gray = np.tile(np.array([0, 255], np.uint8), (20, 10))
    # One px apart: 7² for three of four directions, which see the other stripe; the
    # directions' matrices hold 380, 380, 361 and 361 pairs but weigh the same.
    contrast = glcm_features(gray)[:5]
    np.testing.assert_allclose(contrast, [49 * 0.75, 0, 49 * 0.75, 0, 49 * 0.75])


@pytest.mark.parametrize(
    "name",
    ["moments", "glcm", "haralick", "esgiar", "lbp", "lbp_fourier", "gabor"],
)
def test_a_turn_or_a_mirror_changes_nothing(name: str) -> None:
    measure = texture.GRAY_FEATURES[name]
    gray = noise(1)
    gray[:, ::3] //= 2
    wanted = measure(gray)
    for view in (np.rot90(gray), np.rot90(gray, 2), gray[:, ::-1], gray.T):
        np.testing.assert_allclose(measure(view.copy()), wanted, atol=1e-12)


@pytest.mark.parametrize(
    "patch, place",
    [
        # Three neighbors in a row are bright: n = 3, one turn, so all magnitudes are 1.
        ([[9, 9, 9], [1, 5, 1], [1, 1, 1]], slice(10, 15)),
        ([[1, 1, 1], [1, 5, 9], [1, 1, 1]], slice(0, 5)),
        ([[1, 1, 1], [1, 5, 1], [1, 1, 1]], slice(35, 36)),
        ([[9, 9, 9], [9, 5, 9], [9, 9, 9]], slice(36, 37)),
        # Bright and dark by turns (the corners are read at 1 px: 0.5 · 0 + …= 4.2 < 5).
        ([[0, 9, 0], [9, 5, 9], [0, 9, 0]], slice(37, 38)),
    ],
)
def test_one_local_binary_pattern(patch: list, place: slice) -> None:
    wanted = np.zeros(38)
    wanted[place] = 1
    found = texture.lbp_fourier(np.array(patch, np.uint8))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_lbp_of_a_flat_patch_is_all_ones_at_every_scale() -> None:
    found = texture.lbp_histogram(np.full((9, 9), 80, np.uint8))
    # No neighbor is darker: n = 8, 16, 24, whatever lies beyond the border.
    assert np.flatnonzero(found).tolist() == [8, 10 + 16, 10 + 18 + 24]
    assert found.sum() == 3


def test_hlac_masks_are_those_of_otsu_and_kurita() -> None:
    masks = texture.HLAC_MASKS
    assert len(masks) == 35
    distinct = [mask for mask in masks if len(set(mask)) == len(mask)]
    assert [sum(len(m) == n for m in distinct) for n in (1, 2, 3)] == [1, 4, 20]
    for one, two in itertools.combinations(masks, 2):
        shifts = {tuple(np.subtract(a, b)) for a, b in zip(one, two, strict=False)}
        assert len(one) != len(two) or len(shifts) > 1
    for mask in masks:
        assert (0, 0) in mask and np.abs(mask).max() <= 1


def test_hlac_by_hand() -> None:
    """9×9 px, three of them dark: with 4 px between its points a mask has one place."""
    gray = np.full((9, 9), 255, np.uint8)
    gray[4, 4], gray[4, 0], gray[4, 8] = 0, 204, 102
    found = dict(zip(texture.HLAC_MASKS, texture.hlac_features(gray)[70:], strict=True))
    left, here, right = (0, -1), (0, 0), (0, 1)
    wanted = {
        (here,): 1.0,
        (here, here): 1.0,
        (left, here): 0.2,
        (here, here, here): 1.0,
        (left, left, here): 0.04,
        (left, here, here): 0.2,
        (left, here, right): 0.12,
    }
    assert set(wanted) <= set(found)
    for mask, value in found.items():
        assert value == pytest.approx(wanted.get(mask, 0.0)), mask


def test_a_turn_puts_hlac_in_another_order() -> None:
    gray = np.pad(noise(2, 12), 8, constant_values=255)
    found, turned = (texture.hlac_features(g) for g in (gray, np.rot90(gray)))
    for step in range(3):
        part = slice(35 * step, 35 * (step + 1))
        np.testing.assert_allclose(np.sort(found[part]), np.sort(turned[part]))
    assert not np.allclose(found, turned)


def test_gabor_answers_to_its_own_wavelength() -> None:
    x = np.arange(96)
    for place, wavelength in enumerate(texture.GABOR_WAVELENGTHS[1:], start=1):
        wave = 127.5 + 100 * np.cos(2 * np.pi * x / wavelength)
        gray = np.tile(wave.astype(np.uint8), (96, 1))
        assert texture.gabor_magnitudes(gray).argmax() == place


def test_moments_of_black_and_white() -> None:
    gray = np.repeat([0, 255], 32).reshape(8, 8).astype(np.uint8)
    # μ_k = (±1/2)^k: nothing for odd k.
    wanted = [1 / 2, 1 / 4, 0, 1, 0, 2**-6, 0, 2**-8, 0, 2**-10, 0]
    np.testing.assert_allclose(texture.histogram_moments(gray), wanted, atol=1e-12)
    flat = texture.histogram_moments(np.full((8, 8), 51, np.uint8))
    np.testing.assert_allclose(flat, [0.2] + 10 * [0], atol=1e-12)


def test_perception_of_stripes() -> None:
    fine = np.tile(np.repeat([0, 255], 2), (32, 8)).astype(np.uint8)
    coarse = np.tile(np.repeat([0, 255], 8), (32, 2)).astype(np.uint8)
    for gray in (fine, coarse):
        _, contrast, direction, lines, roughness = perception.perception_features(gray)
        # Half black, half white: σ = 1/2, kurtosis 1. One direction, and lines.
        assert (contrast, roughness) == pytest.approx((1, 1))
        assert (direction, lines) == pytest.approx((1, 1))
    sizes = [perception.perception_features(gray)[0] for gray in (fine, coarse)]
    assert sizes[0] < sizes[1] <= 1
    of_noise = perception.perception_features(noise(5, 64))
    assert of_noise[2] < 0.1 and of_noise[3] < 0.75
    flat = perception.perception_features(np.full((16, 16), 9, np.uint8))
    np.testing.assert_allclose(flat, [1 / 8, 0, 0, 1, 0], atol=1e-12)


def test_contrast_by_hand() -> None:
    # A quarter white: σ² = 3/16, μ₄ = 3/4 · (1/4)⁴ + 1/4 · (3/4)⁴ = 21/256, α₄ = 7/3.
    image = np.repeat([0.0, 0.0, 0.0, 1.0], 4).reshape(4, 4)
    wanted = 2 * np.sqrt(3 / 16) / (7 / 3) ** 0.25
    assert perception.contrast(image) == pytest.approx(wanted)


def test_color_is_blind_to_texture_and_texture_to_color() -> None:
    rng = np.random.default_rng(0)
    patch = rng.integers(60, 200, (20, 20, 3)).astype(np.uint8)
    shuffled = rng.permutation(patch.reshape(-1, 3)).reshape(patch.shape)
    np.testing.assert_allclose(
        texture.color_statistics(patch), texture.color_statistics(shuffled)
    )
    # 0.587 · 10 - 0.114 · 51 = 0.06: another color, the same gray.
    gray = np.repeat(noise(0, 20)[..., None] // 2 + 60, 3, axis=2)
    tinted = gray + np.array([0, 10, -51])
    one, two = (texture.measure(p.astype(np.uint8)) for p in (gray, tinted))
    assert set(one) == set(texture.FEATURES)
    for name, values in one.items():
        assert values.dtype == np.float32
        assert np.array_equal(values, two[name]) == (name != "color")


def test_color_by_hand() -> None:
    patch = np.zeros((2, 2, 3), np.uint8)
    patch[0, :, 0] = 255
    found = texture.color_statistics(patch).reshape(-1, 3)
    np.testing.assert_allclose(found[:, 0], [0.5, 0.5, 0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(found[:, 1:], 0)
