"""Every step of the augmentation, eagerly and inside tf.data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.fit import AugmentConfig
from gastric_keras.data.augment import STAINS, augment, jitter_color, jitter_stain
from gastric_keras.imaging.stain import OD_FROM_STAINS, STAINS_FROM_OD, separate_stains

FLIP = AugmentConfig(flip=True, turn=False, stain=0.0)
TURN = AugmentConfig(flip=False, turn=True, stain=0.0)
STAIN = AugmentConfig(flip=False, turn=False, stain=0.2)
NOTHING = AugmentConfig(flip=False, turn=False, stain=0.0)
COLOR = AugmentConfig(flip=False, turn=False, stain=0.0, color=0.2)
ZOOM = AugmentConfig(flip=False, turn=False, stain=0.0, zoom=0.3)
ALL = AugmentConfig(color=0.1, zoom=0.2)

Seed = tuple[int, int]
Views = Callable[[np.ndarray, int, Seed, AugmentConfig], np.ndarray]


def eagerly(image: np.ndarray, n: int, seed: Seed, config: AugmentConfig) -> np.ndarray:
    """(n, h, w, 3): n views of one picture."""
    images = tf.repeat(tf.constant(image)[None], n, axis=0)
    return augment(images, tf.constant(seed), config).numpy()


def inside_tf_data(
    image: np.ndarray, n: int, seed: Seed, config: AugmentConfig
) -> np.ndarray:
    """(n, h, w, 3): n views of one picture."""
    dataset = tf.data.Dataset.from_tensors(np.repeat(image[None], n, axis=0))
    dataset = dataset.map(lambda x: augment(x, tf.constant(seed, tf.int64), config))
    assert dataset.element_spec.dtype == tf.uint8
    assert dataset.element_spec.shape[1:] == image.shape
    return next(iter(dataset.as_numpy_iterator()))


@pytest.fixture(params=[eagerly, inside_tf_data])
def views_of(request: pytest.FixtureRequest) -> Views:
    """``augment`` on either side."""
    function: Views = request.param
    return function


def draw_picture(side: int = 12) -> np.ndarray:
    """Every pixel different, so that a permutation can be read off."""
    y, x = np.mgrid[:side, :side]
    return np.stack([20 * y, 20 * x, 7 * (x + y) % 250 + 5], -1).astype(np.uint8)


def draw_tissue(side: int = 64) -> np.ndarray:
    """Stain amounts that a real slide has, as RGB; a white and a black corner."""
    rng = np.random.default_rng(0)
    amounts = rng.uniform([0.05, 0.05, 0.0], [0.9, 0.6, 0.1], (side, side, 3))
    density = np.maximum(amounts @ OD_FROM_STAINS.T, 0)
    image = np.round(255 * 10.0**-density).astype(np.uint8)
    image[:4, :4], image[-4:, -4:] = 255, 0
    return image


def name_view(view: np.ndarray, image: np.ndarray) -> tuple[int, bool] | None:
    """(quarter turns, flipped before) that make the view out of the picture."""
    for flipped in (False, True):
        start = image[:, ::-1] if flipped else image
        for turns in range(4):
            if np.array_equal(np.rot90(start, turns), view):
                return turns, flipped
    return None


@pytest.mark.parametrize("seed", [(0, 1), (7, 2**31 - 1), (-5, 3)])
@pytest.mark.parametrize("config", [NOTHING, FLIP, TURN, STAIN, COLOR, ZOOM, ALL])
def test_one_seed_one_batch_on_either_side(config: AugmentConfig, seed: Seed) -> None:
    image = draw_picture()
    views = eagerly(image, 3, seed, config)
    assert views.dtype == np.uint8 and views.shape == (3, *image.shape)
    np.testing.assert_array_equal(views, eagerly(image, 3, seed, config))
    other = inside_tf_data(image, 3, seed, config).astype(int)
    # The last bit of a power may round to the next grey level.
    assert np.abs(other - views).max() <= (1 if config.stain else 0)


def test_nothing_is_nothing(views_of: Views) -> None:
    image = draw_picture()
    np.testing.assert_array_equal(views_of(image, 1, (1, 2), NOTHING)[0], image)


def test_flips_and_turns_are_permutations(views_of: Views) -> None:
    image = draw_picture()

    def names(config: AugmentConfig) -> list:
        return [name_view(view, image) for view in views_of(image, 40, (5, 3), config)]

    flips, turns = names(FLIP), names(TURN)
    assert set(flips) == {(0, False), (0, True)}
    assert set(turns) == {(k, False) for k in range(4)}
    # The draws of one step do not hang on whether another is switched on.
    both = names(AugmentConfig(stain=0.0))
    assert both == [(t[0], f[1]) for t, f in zip(turns, flips, strict=True)]


def test_flips_and_turns_are_even() -> None:
    image, n = draw_picture(4), 400
    views = inside_tf_data(image, n, (2, 9), AugmentConfig(stain=0.0))
    names = [name_view(view, image) for view in views]
    counts = [names.count((k, f)) for k in range(4) for f in (False, True)]
    # 50 of each are expected, with a deviation of 6.6.
    assert sum(counts) == n and min(counts) > 25


def test_a_flip_leaves_an_oblong_patch_oblong(views_of: Views) -> None:
    image = draw_picture()[:7]
    for view in views_of(image, 4, (1, 0), FLIP):
        assert name_view(view, image) in {(0, False), (0, True)}


def test_the_stain_matrix_is_that_of_data_prep() -> None:
    np.testing.assert_array_equal(STAINS, STAINS_FROM_OD)


def test_a_jitter_of_no_strength_changes_no_grey_level_by_more_than_one() -> None:
    image = np.arange(256, dtype=np.uint8)
    image = np.stack(np.meshgrid(image, image[::5], indexing="ij") * 2, -1)[..., :3]
    seed = tf.constant((1, 2))
    view = jitter_stain(tf.constant(image)[None], seed, strength=0.0).numpy()[0]
    assert view.dtype == np.uint8
    assert np.abs(view.astype(int) - image).max() <= 1
    # Only black changes: it has no density, and becomes the darkest grey.
    np.testing.assert_array_equal(view, np.maximum(image, 1))


def separate(image: np.ndarray) -> np.ndarray:
    """H, E, DAB amounts by the formula, in double precision."""
    density = -np.log10(np.maximum(image, 1) / 255.0)
    return density @ STAINS_FROM_OD.astype(np.float64).T


@pytest.mark.parametrize("seed", [(0, 0), (5, 9), (123, 4)])
def test_jitter_scales_and_shifts_each_stain(seed: tuple[int, int]) -> None:
    strength = 0.3
    image = draw_tissue()
    batch = tf.repeat(tf.constant(image)[None], 2, axis=0)
    # The second of a batch: each patch has its own draws.
    view = jitter_stain(batch, tf.constant(seed), strength=strength)[1].numpy()
    # In the body of the picture: where nothing is cut off at white or black.
    whole = np.all((view > 20) & (view < 250) & (image > 20), axis=-1)
    assert whole.mean() > 0.5
    before, after = separate(image)[whole], separate(view)[whole]
    draws = tf.random.stateless_uniform((2, 2, 3), seed, -strength, strength).numpy()
    draws = draws[1]
    for stain in range(3):
        scale, shift = np.polyfit(before[:, stain], after[:, stain], 1)
        assert scale == pytest.approx(1 + draws[0, stain], abs=0.02), stain
        assert shift == pytest.approx(draws[1, stain] / 10, abs=0.01), stain
    # Pixel by pixel: half a grey level of rounding, at 20 of 255, is 0.011 of density.
    expected = (1 + draws[0]) * before + draws[1] / 10
    assert np.abs(after - expected).max() < 0.03
    # And by data_prep's own eyes.
    seen = separate_stains(view)[whole]
    np.testing.assert_allclose(seen, after, atol=1e-4)


def test_jitter_draws_differ_in_a_batch_and_keep_to_their_range() -> None:
    image = np.full((2, 2, 3), (150, 100, 160), np.uint8)
    batch = tf.repeat(tf.constant(image)[None], 40, axis=0)
    views = jitter_stain(batch, tf.constant((3, 0)), strength=0.2).numpy()
    assert len({view.tobytes() for view in views}) > 30
    amounts = separate(image[0, 0])
    reach = 0.2 * np.abs(amounts) + 0.02
    for view in views:
        assert np.all(np.abs(separate(view[0, 0]) - amounts) <= reach + 0.01)


def test_jitter_keeps_white_and_black_in_range(views_of: Views) -> None:
    strong = AugmentConfig(flip=False, turn=False, stain=0.9)
    views = views_of(draw_tissue(16), 6, (4, 5), strong)
    # Bare glass may take a veil of ± 0.09 of each stain, and never turns over.
    assert views[:, :4, :4].min() > 150
    assert views.dtype == np.uint8


def test_color_jitter_by_hand() -> None:
    image = np.array([[[200, 100, 50], [10, 10, 10]]], np.uint8)
    strength, seed = 0.2, (3, 4)
    view = jitter_color(tf.constant(image)[None], tf.constant(seed), strength=strength)
    draws = tf.random.stateless_uniform((1, 3), seed, -strength, strength).numpy()[0]
    brightness, contrast, saturation = draws
    luma = image[0] @ np.array([0.299, 0.587, 0.114])
    colored = luma[:, None] + (1 + saturation) * (image[0] - luma[:, None])
    wanted = 127.5 + (1 + contrast) * (colored - 127.5) + 255 * brightness
    wanted = np.round(np.clip(wanted, 0, 255))
    assert np.abs(view.numpy()[0, 0] - wanted).max() <= 1


@pytest.mark.parametrize("jitter", [jitter_stain, jitter_color])
def test_a_jittered_color_does_not_hang_on_the_size_of_the_patch(
    jitter: Callable[..., tf.Tensor],
) -> None:
    # 16, 13, 11 and 1 pixels go into a row of the product.
    views = []
    for height, width in ((8, 8), (13, 13), (7, 11), (17, 19)):
        image = np.full((3, height, width, 3), (150, 100, 160), np.uint8)
        view = jitter(tf.constant(image), tf.constant((3, 0)), strength=0.2).numpy()
        assert (view == view[:, :1, :1]).all()
        views.append(view[:, 0, 0])
    assert len({view.tobytes() for view in views}) == 1
    assert len({color.tobytes() for color in views[0]}) == 3


def test_zoom_scales_about_the_middle() -> None:
    # A disk of 10 px across: its area tells the scale, its center that nothing moved.
    y, x = np.mgrid[:41, :41] - 20
    disk = (np.hypot(x, y) <= 10).astype(np.uint8) * 255
    views = eagerly(np.stack([disk] * 3, -1), 30, (6, 1), ZOOM)[..., 0] / 255.0
    areas = views.sum(axis=(1, 2))
    scales = np.sqrt(areas / (disk / 255).sum())
    reach = 1 + ZOOM.zoom
    assert scales.min() > 0.97 / reach and scales.max() < 1.03 * reach
    assert scales.min() < 0.9 and scales.max() > 1.1
    for view, area in zip(views, areas, strict=True):
        assert abs((view * x).sum() / area) < 0.1
        assert abs((view * y).sum() / area) < 0.1


def test_a_patch_that_shrinks_is_mirrored_at_the_edge() -> None:
    stripes = np.zeros((20, 20, 3), np.uint8)
    stripes[:, :3] = 200
    views = eagerly(stripes, 30, (8, 1), ZOOM)
    # Where there is more than the picture, its edge is seen, not black.
    assert (views[:, 10, 0, 0] > 150).all()
