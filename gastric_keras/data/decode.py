"""Encoded picture to patch: one function for training, evaluation and serving."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def decode(
    image: tf.Tensor,
    image_size: int,
    *,
    normalize: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tf.Tensor:
    """Encoded picture to patch; training, evaluation and serving share this function.

    Args:
        image: () string, PNG or JPEG bytes (BMP too) of a picture of any size.
        image_size: side in px to resize to, with antialiasing.
        normalize: of the stain, (H, W, 3) uint8 to the same, before it is resized;
            None for records, whose patches are stored normalized.

    Returns:
        (image_size, image_size, 3) uint8, RGB.
    """
    pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
    pixels.set_shape((None, None, 3))
    if normalize is not None:
        pixels = normalize(pixels)
    # A resize to the same size changes nothing and costs as much as decoding.
    is_right = tf.reduce_all(tf.shape(pixels)[:2] == image_size)
    patch = tf.cond(is_right, lambda: pixels, lambda: resize(pixels, image_size))
    return tf.ensure_shape(patch, (image_size, image_size, 3))


def resize(pixels: tf.Tensor, image_size: int) -> tf.Tensor:
    """Patches to the side that the network takes, with antialiasing.

    Args:
        pixels: (…, h, w, 3) uint8, one patch or a batch.
        image_size: side, px.

    Returns:
        (…, image_size, image_size, 3) uint8.
    """
    if pixels.shape[-3:-1] == (image_size, image_size):
        return pixels
    values = tf.image.resize(pixels, (image_size, image_size), antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)
