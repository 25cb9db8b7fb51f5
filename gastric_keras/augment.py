"""What a training patch goes through: tensor to tensor, used in tf.data only.

Keras' Random* layers stay active in an exported Keras 3 model, so none is used.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gastric_keras.config import AugmentConfig

#: Stain matrix of Qu et al. 2018: rows H, E, DAB; amounts = STAINS @ optical density.
STAINS = np.array(
    [[1.88, -0.07, -0.60], [-1.02, 1.13, -0.48], [-0.55, -0.13, 1.57]], np.float32
)


def augment(image: tf.Tensor, seed: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """One random view of a patch.

    Args:
        image: (h, w, 3) uint8; turning needs h = w.
        seed: (2,) int; the same seed gives the same view.
        config: what may happen.

    Returns:
        (h, w, 3) uint8.
    """
    # In one type: the same numbers as int32 and int64 are split differently.
    seeds = tf.random.split(tf.cast(seed, tf.int64), 3)
    if config.flip:
        image = tf.image.stateless_random_flip_left_right(image, seeds[0])
    if config.turn:
        turns = tf.random.stateless_uniform((), seeds[1], 0, 4, tf.int32)
        image = tf.image.rot90(image, turns)
    if config.stain:
        image = jitter_stain(image, seeds[2], strength=config.stain)
    return image


def jitter_stain(image: tf.Tensor, seed: tf.Tensor, *, strength: float) -> tf.Tensor:
    """Scale and shift the amount of each stain at random.

    With OD = -log10(I / 255) and C = D·OD (Qu et al. 2018), the view has the amounts
    a·C + b, a uniform in 1 ± strength and b in ± strength / 10, for each stain. As
    OD' = D⁻¹(a·D·OD + b) is affine in OD, one 3×3 matrix does it (compare Tellez et
    al., Med. Image Anal. 2019, doi 10.1016/j.media.2019.101544).

    Args:
        image: (h, w, 3) uint8.
        seed: (2,) int.
        strength: in [0, 1).

    Returns:
        (h, w, 3) uint8.
    """
    draws = tf.random.stateless_uniform((2, 3), seed, -strength, strength)
    inverse = tf.constant(np.linalg.inv(STAINS))
    matrix = inverse @ ((1.0 + draws[0])[:, None] * STAINS)
    shift = tf.linalg.matvec(inverse, draws[1] / 10.0)
    # Black would have no finite density; one grey level keeps it finite.
    intensity = tf.maximum(tf.cast(image, tf.float32), 1.0) / 255.0
    density = -tf.math.log(intensity) / np.log(10.0)
    density = tf.tensordot(density, matrix, axes=[[2], [1]]) + shift
    view = 255.0 * tf.pow(10.0, -tf.maximum(density, 0.0))
    return tf.cast(tf.round(view), tf.uint8)
