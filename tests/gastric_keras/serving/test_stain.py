"""The graph normalizes a picture as data_prep does: at most one gray level apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.imaging.images import encode_png, read_image
from gastric_keras.imaging.normalization import (
    REFERENCE_AMOUNTS,
    STAIN_METHODS,
    fit_picture,
    normalize,
)
from gastric_keras.imaging.slides import ArrayPicture
from gastric_keras.serving.stain import build_normalizer
from gastric_keras.support.errors import InputError
from tests.gastric_keras.imaging.test_normalization import (
    OTHER_STAINS,
    Pixels,
    degenerate_pictures,
    draw_tissue,
)
from tests.helpers.small_exports import SIZE, answer_of, write_red_model


def by_data_prep(pixels: Pixels, method: str) -> tuple[Pixels, bool]:
    fit = fit_picture(ArrayPicture(pixels), method)
    return (pixels, False) if fit is None else (normalize(pixels, fit), True)


def in_graph(method: str) -> tf.types.experimental.PolymorphicFunction:
    normalizer = build_normalizer(method)
    assert normalizer is not None
    return tf.function(
        normalizer, input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)]
    )


@pytest.mark.shared
@pytest.mark.parametrize("method", STAIN_METHODS)
def test_real_pictures_come_out_alike(shared_data: Path, method: str) -> None:
    paths = [
        *sorted((shared_data / "ebhi" / "images").glob("*.*"))[::60],
        *sorted((shared_data / "regions" / "images").glob("*.*"))[::6],
    ]
    assert len(paths) >= 50
    graph = in_graph(method)
    changed = 0
    for path in paths:
        pixels = read_image(path)
        wanted, is_fitted = by_data_prep(pixels, method)
        found = graph(pixels).numpy()
        apart = np.abs(found.astype(int) - wanted)
        assert apart.max() <= 1, path
        assert is_fitted or (found == pixels).all(), path
        changed += is_fitted
    assert changed >= 50


@pytest.mark.shared
@pytest.mark.parametrize("method", STAIN_METHODS)
def test_a_picture_beyond_the_fitted_view_comes_out_alike(
    shared_data: Path, method: str
) -> None:
    path = sorted((shared_data / "nuclei_masks" / "images").iterdir())[0]
    large = np.tile(read_image(path), (3, 2, 1))[:2500, :1700]
    wanted, is_fitted = by_data_prep(large, method)
    assert is_fitted
    apart = np.abs(in_graph(method)(large).numpy().astype(int) - wanted)
    assert apart.max() <= 1


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_what_cannot_be_fitted_stays_as_it_is(method: str) -> None:
    graph = in_graph(method)
    pictures = degenerate_pictures() | {"tissue": draw_tissue()}
    unfitted = 0
    for name, pixels in pictures.items():
        wanted, is_fitted = by_data_prep(pixels, method)
        found = graph(pixels).numpy()
        assert np.abs(found.astype(int) - wanted).max() <= 1, name
        unfitted += not is_fitted
    assert 5 <= unfitted < len(pictures)


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_a_served_picture_is_normalized_and_a_patch_is_taken_as_it_comes(
    method: str, tmp_path: Path
) -> None:
    folder = write_red_model(tmp_path / "1", normalization=method)
    signatures = tf.saved_model.load(str(folder)).signatures
    raw = draw_tissue(OTHER_STAINS, 0.7 * REFERENCE_AMOUNTS)
    wanted, _ = by_data_prep(raw, method)
    assert abs(answer_of(raw) - answer_of(wanted)) > 0.05
    answers = signatures["serving_default"](
        image_bytes=tf.constant([encode_png(raw), encode_png(wanted)])
    )["malignant_probability"].numpy()
    assert answers[0] == pytest.approx(answer_of(wanted), abs=0.005)
    patch = np.full((1, SIZE, SIZE, 3), raw[40, 40], np.uint8)
    found = signatures["predict_array"](patch=patch)["malignant_probability"].numpy()
    assert found[0] == pytest.approx(answer_of(patch[0]), abs=1e-5)


def test_no_method_is_no_function_and_an_unknown_one_is_refused() -> None:
    assert build_normalizer(None) is None
    with pytest.raises(InputError, match="must be null or one of .*, got 'vahadane'"):
        build_normalizer("vahadane")
