"""Two stains of one tissue become alike, glass stays glass, and nothing crashes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from data_prep.config.sets import SetConfig
from gastric_keras.imaging.images import read_image
from gastric_keras.imaging.normalization import (
    REFERENCE_AMOUNTS,
    REFERENCE_STAINS,
    STAIN_METHODS,
    StainFit,
    fit_stain,
    normalize,
)
from gastric_keras.support.errors import InputError

Pixels = npt.NDArray[np.uint8]
#: Near Ruifrok and Johnston's hematoxylin and eosin.
OTHER_STAINS = np.array([[0.65, 0.25], [0.70, 0.90], [0.29, 0.36]])


def draw_tissue(
    stains: npt.NDArray[np.float64] = REFERENCE_STAINS,
    top: npt.NDArray[np.float64] = REFERENCE_AMOUNTS,
    *,
    size: int = 96,
    seed: int = 0,
) -> Pixels:
    """Known stains (columns), whose amounts reach ``top``, and a corner of glass."""
    rng = np.random.default_rng(seed)
    is_nucleus = rng.random((size, size)) < 0.4
    amounts = np.stack(
        [
            np.where(is_nucleus, rng.uniform(0.6, 1.01, (size, size)), 0.0),
            np.where(is_nucleus, 0.0, rng.uniform(0.6, 1.01, (size, size))),
        ],
        axis=-1,
    )
    light = 240 * np.exp(-(amounts * top) @ stains.T) - 1
    picture = np.rint(light.clip(0, 255)).astype(np.uint8)
    picture[: size // 8, : size // 8] = 255
    return picture


def scale_density(picture: Pixels, factor: float) -> Pixels:
    light = 255 * (np.maximum(picture, 1) / 255.0) ** factor
    return np.rint(light).astype(np.uint8)


def difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def fitted(picture: Pixels, method: str) -> StainFit:
    fit = fit_stain(picture, method)
    assert fit is not None
    return fit


def degenerate_pictures() -> dict[str, Pixels]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    ramp = np.arange(4096).reshape(64, 64) % 256
    pictures = {
        "white": np.full((64, 64, 3), 255, np.uint8),
        "black": np.zeros((64, 64, 3), np.uint8),
        "one color": np.full((64, 64, 3), (120, 60, 140), np.uint8),
        "two colors": np.where(noise > 127, 40, 180).astype(np.uint8),
        "noise": noise,
        "dark noise": noise // 16,
        "pale noise": 200 + noise // 5,
        "grey ramp": np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8),
        "line of colors": np.stack([ramp, ramp // 2, ramp // 3], -1).astype(np.uint8),
        "red only": noise * np.array([1, 0, 0], np.uint8),
        "blue only": noise * np.array([0, 0, 1], np.uint8),
        "one pixel": noise[:1, :1],
        "one row": noise[:1],
    }
    for seed in range(12):
        rng = np.random.default_rng(seed)
        low, high = np.sort(rng.integers(0, 256, (2, 3)), axis=0)
        shape = (*rng.integers(1, 80, 2).tolist(), 3)
        pictures[f"random {seed}"] = rng.integers(low, high + 1, shape).astype(np.uint8)
    return pictures


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_no_picture_crashes_it(method: str) -> None:
    pictures = degenerate_pictures()
    usual = fitted(draw_tissue(), method)
    for name, picture in pictures.items():
        own = fit_stain(picture, method)
        assert own is None or np.isfinite(own.matrix).all(), name
        for fit in (usual, own or usual):
            for other in (picture, pictures["noise"], pictures["black"]):
                result = normalize(other, fit)
                assert result.dtype == np.uint8 and result.shape == other.shape, name


@pytest.mark.parametrize("method", STAIN_METHODS)
@pytest.mark.parametrize(
    "name", ["white", "black", "one color", "grey ramp", "one pixel"]
)
def test_a_stain_that_cannot_be_told_is_none(method: str, name: str) -> None:
    assert fit_stain(degenerate_pictures()[name], method) is None


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_white_stays_white(method: str) -> None:
    picture = draw_tissue()
    result = normalize(picture, fitted(picture, method))
    assert (result[:12, :12] == 255).all()
    pale = np.full((4, 4, 3), 240, np.uint8)
    assert (normalize(pale, fitted(picture, method)) == 240).all()


def test_the_reference_stain_is_left_as_it_is() -> None:
    picture = draw_tissue()
    assert difference(normalize(picture, fitted(picture, "macenko")), picture) < 2


def test_another_stain_becomes_the_reference() -> None:
    other = draw_tissue(OTHER_STAINS, 0.7 * REFERENCE_AMOUNTS)
    wanted = draw_tissue()
    assert difference(other, wanted) > 15
    assert difference(normalize(other, fitted(other, "macenko")), wanted) < 6


def test_reinhard_gives_mean_and_deviation_of_the_reference() -> None:
    # Small deviations, so that no channel is clipped; hence not the deviation itself.
    picture = draw_tissue(top=np.array([1.2, 0.7]))
    once = normalize(picture, fitted(picture, "reinhard"))
    twice = normalize(once, fitted(once, "reinhard"))
    assert difference(twice, once) < 0.4 * difference(once, picture)


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_a_pixel_sample_fits_as_the_picture_does(method: str) -> None:
    picture = draw_tissue()
    sample = np.random.default_rng(0).permutation(picture.reshape(-1, 3))
    np.testing.assert_allclose(
        fitted(sample, method).matrix, fitted(picture, method).matrix, rtol=1e-6
    )


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_a_fit_is_deterministic_and_travels_between_processes(method: str) -> None:
    picture = draw_tissue()
    fit = fitted(picture, method)
    assert fit == fitted(picture.copy(), method)
    again = pickle.loads(pickle.dumps(fit))
    assert again == fit and hash(again) == hash(fit)
    np.testing.assert_array_equal(normalize(picture, again), normalize(picture, fit))


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_patches_change_as_their_slide_does(method: str) -> None:
    picture = draw_tissue()
    fit = fitted(picture, method)
    whole = normalize(picture, fit)
    np.testing.assert_array_equal(
        normalize(picture[20:60, 30:70], fit), whole[20:60, 30:70]
    )


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(
        InputError, match="method must be one of reinhard, macenko, got 'reinha"
    ):
        fit_stain(draw_tissue(), "reinhart")
    with pytest.raises(InputError, match="macenko, got 'vahadane'"):
        SetConfig(classes=("a", "b"), normalization="vahadane")
    assert SetConfig(classes=("a", "b")).normalization is None


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"got shape=\(4, 4\), dtype='uint8'"):
        fit_stain(np.zeros((4, 4), np.uint8), "macenko")
    with pytest.raises(InputError, match=r"dtype='float64'"):
        fit_stain(np.zeros((4, 3)), "macenko")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"must be RGB .* got shape=\(4, 3\)"):
        normalize(np.zeros((4, 3), np.uint8), fitted(draw_tissue(), "macenko"))


@pytest.mark.shared
@pytest.mark.parametrize("method", STAIN_METHODS)
def test_pale_and_dark_copies_of_real_pictures_become_alike(
    shared_data: Path, method: str
) -> None:
    paths = sorted((shared_data / "nuclei_masks" / "images").iterdir())[::5]
    for path in paths:
        picture = read_image(path)[:500, :500]
        pale, dark = scale_density(picture, 0.7), scale_density(picture, 1.4)
        after = [normalize(copy, fitted(copy, method)) for copy in (pale, dark)]
        assert difference(*after) < 0.5 * difference(pale, dark)


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_the_wildest_map_still_gives_a_picture(method: str) -> None:
    wild = StainFit(method, ((1e4, -1e4, 1e4, 1e4),) * 3)
    result = normalize(draw_tissue(), wild)
    assert result.dtype == np.uint8
    assert (result[:12, :12] == 255).all()
