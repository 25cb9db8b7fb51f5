"""Encoded picture to patch: one function for training, evaluation and serving."""

from __future__ import annotations

import tensorflow as tf


def decode(image: tf.Tensor, image_size: int) -> tf.Tensor:
    """Decode a picture of the records to a patch, for training and evaluation.

    Args:
        image: () string, PNG or JPEG bytes of an upright RGB picture of any size.
        image_size: side in px to resize to, with antialiasing.

    Returns:
        (image_size, image_size, 3) uint8, RGB.
    """
    return fit(decode_rgb(image), image_size)


def decode_rgb(image: tf.Tensor) -> tf.Tensor:
    """Decode a picture without alpha and orientation.

    Args:
        image: () string, PNG or JPEG bytes (BMP too).

    Returns:
        (H, W, 3) uint8, RGB: of a JPEG the same as Pillow's, bit by bit.
    """
    # This one decodes PNG too. By default TensorFlow takes a faster, rougher transform,
    # a gray level away from what data_prep and the heatmap see.
    pixels = tf.cond(
        tf.strings.substr(image, 0, 2) == b"BM",
        lambda: tf.io.decode_bmp(image, channels=3),
        lambda: tf.io.decode_jpeg(image, channels=3, dct_method="INTEGER_ACCURATE"),
    )
    pixels.set_shape((None, None, 3))
    return pixels


def fit(pixels: tf.Tensor, image_size: int) -> tf.Tensor:
    """One decoded picture to the side that the network takes.

    Args:
        pixels: (H, W, 3) uint8.
        image_size: side, px.

    Returns:
        (image_size, image_size, 3) uint8.
    """
    # A resize to the same size changes nothing and costs as much as decoding.
    is_right = tf.reduce_all(tf.shape(pixels)[:2] == image_size)
    patch = tf.cond(is_right, lambda: pixels, lambda: resize(pixels, image_size))
    return tf.ensure_shape(patch, (image_size, image_size, 3))


def resize(pixels: tf.Tensor, image_size: int) -> tf.Tensor:
    """Resize patches to the side that the network takes, with antialiasing.

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
