"""The graph and data_prep come to the same pixels, or both refuse."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.data.decode import decode_rgb
from gastric_keras.imaging.images import UnusableImage, decode
from gastric_keras.serving.graph import decode_all
from gastric_keras.serving.pixels import needs_care
from tests.faults import pixel_files as files
from tests.faults.pixel_families import FAMILIES
from tests.faults.pixel_truth import SIDE
from tests.faults.requests import SENSIBLE

MEMBERS = 16


@tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
def served(pictures: tf.Tensor) -> tf.Tensor:
    return decode_all(pictures, SIDE)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_sees_what_data_prep_sees(family: str) -> None:
    for seed in range(MEMBERS):
        data = FAMILIES[family](random.Random(f"{family}{seed}"))[0]
        if data[:4] != b"\x89PNG" and data[:2] != b"\xff\xd8":
            with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG or PNG"):
                served(tf.constant([data]))
            continue
        try:
            wanted = decode(data, name="picture").pixels
        except UnusableImage:
            with pytest.raises(tf.errors.InvalidArgumentError) as error:
                served(tf.constant([data]))
            assert SENSIBLE.search(str(error.value.message)), seed
        else:
            np.testing.assert_array_equal(served(tf.constant([data]))[0], wanted)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_is_decoded_as_pillow_does_to_the_bit(subsampling: int) -> None:
    rng = np.random.default_rng(subsampling)
    for quality in (40, 90, 98):
        pixels = np.kron(rng.integers(0, 256, (9, 7, 3)), np.ones((5, 5, 1)))
        data = files.encode(
            pixels.astype(np.uint8), "JPEG", quality=quality, subsampling=subsampling
        )
        wanted = decode(data, name="picture").pixels
        np.testing.assert_array_equal(decode_rgb(tf.constant(data)), wanted)


def test_ordinary_pictures_take_the_short_way() -> None:
    pixels = np.zeros((9, 9, 3), np.uint8)
    plain = [files.encode(pixels, kind) for kind in ("PNG", "JPEG")]
    assert not needs_care(tf.constant(plain)).numpy().any()
    exif = files.jpeg_segment(0xE1, b"Exif\0\0" + files.write_exif(6))
    odd = [
        files.encode(np.dstack([pixels, pixels[..., :1]]), "PNG"),
        files.with_segments(plain[1], exif),
    ]
    assert needs_care(tf.constant(odd)).numpy().all()
