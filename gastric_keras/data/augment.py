"""What training patches go through: a batch to a batch, used in tf.data only.

Keras' Random* layers stay active in an exported Keras 3 model, so none is used. Whole
batches, because an operation on thirty patches costs little more than on one.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gastric_keras.config.fit import AugmentConfig
from gastric_keras.data.batch_part import WHOLE, BatchPart

#: Stain matrix of Qu et al. 2018: rows H, E, DAB; amounts = STAINS @ optical density.
STAINS = np.array(
    [[1.88, -0.07, -0.60], [-1.02, 1.13, -0.48], [-0.55, -0.13, 1.57]], np.float32
)
#: Optical density of each grey level; black would have none, one level keeps it finite.
_DENSITY = -np.log10(np.maximum(np.arange(256), 1) / 255).astype(np.float32)
#: Weights of R, G and B in the brightness that the eye sees (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def augment(
    images: tf.Tensor,
    seed: tf.Tensor,
    config: AugmentConfig,
    part: BatchPart = WHOLE,
) -> tf.Tensor:
    """One random view of each patch of a batch.

    Args:
        images: (N, h, w, 3) uint8; turning needs h = w.
        seed: (2,) int; the same seed gives the same views.
        config: what may happen.
        part: rows of a whole batch that the patches are; each is drawn the view that
            it has in the whole one.

    Returns:
        (N, h, w, 3) uint8.
    """
    # In one type: the same numbers as int32 and int64 are split differently. A seed for
    # each step, so that no step's draws hang on whether another is switched on.
    seeds = tf.random.split(tf.cast(seed, tf.int64), 5)
    n = part.whole(tf.shape(images)[0])
    if config.flip or config.turn:
        flips = tf.random.stateless_uniform((n,), seeds[0]) < 0.5
        turns = tf.random.stateless_uniform((n,), seeds[1], 0, 4, tf.int32)
        flips, turns = part.rows(flips), part.rows(turns)
        images = flip_and_turn(
            images,
            flips if config.flip else tf.zeros_like(flips),
            turns if config.turn else None,
        )
    if config.zoom:
        images = _zoom(images, seeds[3], strength=config.zoom, part=part)
    if config.stain:
        images = jitter_stain(images, seeds[2], strength=config.stain, part=part)
    if config.color:
        images = jitter_color(images, seeds[4], strength=config.color, part=part)
    return images


def flip_and_turn(
    images: tf.Tensor, flips: tf.Tensor, turns: tf.Tensor | None
) -> tf.Tensor:
    """Mirror left-right where told, then turn counterclockwise.

    Args:
        images: (N, h, w, 3); turning needs h = w.
        flips: (N,) bool.
        turns: (N,) int, quarter turns 0 to 3; None: none.

    Returns:
        (N, h, w, 3): each pixel moved, none changed.
    """

    def where(condition: tf.Tensor, moved: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        return tf.where(condition[:, None, None, None], moved, images)

    if turns is None:
        return where(flips, tf.reverse(images, [2]), images)
    # All eight views are a transposition and two mirrors, each done or not: a quarter
    # turn is a transposition, then up-down; a mirror before a transposition is the
    # other mirror after it.
    is_odd = turns % 2 == 1
    up_down = tf.logical_or(turns == 1, turns == 2) ^ (flips & is_odd)
    left_right = (turns >= 2) ^ (flips & ~is_odd)
    images = where(is_odd, tf.transpose(images, (0, 2, 1, 3)), images)
    images = where(up_down, tf.reverse(images, [1]), images)
    return where(left_right, tf.reverse(images, [2]), images)


def _zoom(
    images: tf.Tensor, seed: tf.Tensor, *, strength: float, part: BatchPart
) -> tf.Tensor:
    """Scale each patch about its middle, mirrored at the edges where it shrinks."""
    n, height, width = tf.unstack(tf.shape(images)[:3])
    n = part.whole(n)
    reach = float(np.log1p(strength))
    # Even in the logarithm: twice and half are equally far.
    step = tf.exp(tf.random.stateless_uniform((n,), seed, -reach, reach))
    middle = tf.cast([width - 1, height - 1], tf.float32) / 2
    shift = (1 - step)[:, None] * middle
    zero = tf.zeros_like(step)
    # The pixel read for (x, y) is step · (x, y) + shift.
    rows = [step, zero, shift[:, 0], zero, step, shift[:, 1], zero, zero]
    views = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=part.rows(tf.stack(rows, axis=1)),
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    return tf.ensure_shape(tf.cast(tf.round(views), tf.uint8), images.shape)


def jitter_stain(
    images: tf.Tensor, seed: tf.Tensor, *, strength: float, part: BatchPart = WHOLE
) -> tf.Tensor:
    """Scale and shift the amount of each stain of each patch at random.

    With OD = -log10(I / 255) and C = D·OD (Qu et al. 2018), the view has the amounts
    a·C + b, a uniform in 1 ± strength and b in ± strength / 10, for each stain. As
    OD' = D⁻¹(a·D·OD + b) is affine in OD, one 3×3 matrix does it (compare Tellez et
    al., Med. Image Anal. 2019, doi 10.1016/j.media.2019.101544).

    Args:
        images: (N, h, w, 3) uint8.
        seed: (2,) int.
        strength: in [0, 1).
        part: see :func:`augment`.

    Returns:
        (N, h, w, 3) uint8.
    """
    n = part.whole(tf.shape(images)[0])
    draws = tf.random.stateless_uniform((n, 2, 3), seed, -strength, strength)
    inverse = tf.constant(np.linalg.inv(STAINS))
    matrix = inverse @ ((1.0 + draws[:, 0])[:, :, None] * STAINS)
    shift = tf.linalg.matvec(inverse, draws[:, 1] / 10.0)
    density = tf.gather(tf.constant(_DENSITY), tf.cast(images, tf.int32))
    density = _affine(density, part.rows(matrix), part.rows(shift))
    view = 255.0 * tf.exp(-float(np.log(10.0)) * tf.maximum(density, 0.0))
    return tf.cast(tf.round(view), tf.uint8)


def jitter_color(
    images: tf.Tensor, seed: tf.Tensor, *, strength: float, part: BatchPart = WHOLE
) -> tf.Tensor:
    """Change brightness, contrast and saturation of each patch at random.

    Args:
        images: (N, h, w, 3) uint8.
        seed: (2,) int.
        strength: in [0, 1): brightness ± strength · 255, contrast (about middle grey)
            and saturation (about the patch's own grey) times 1 ± strength.
        part: see :func:`augment`.

    Returns:
        (N, h, w, 3) uint8.
    """
    n = part.whole(tf.shape(images)[0])
    draws = tf.random.stateless_uniform((n, 3), seed, -strength, strength)
    saturation = (1.0 + draws[:, 2])[:, None, None]
    contrast = (1.0 + draws[:, 1])[:, None]
    grey = np.tile(_LUMA, (3, 1))
    matrix = saturation * np.eye(3, dtype=np.float32) + (1.0 - saturation) * grey
    shift = 127.5 * (1.0 - contrast) + 255.0 * draws[:, :1]
    values = _affine(
        tf.cast(images, tf.float32),
        part.rows(contrast[:, :, None] * matrix),
        part.rows(tf.repeat(shift, 3, axis=1)),
    )
    return tf.cast(tf.round(tf.clip_by_value(values, 0.0, 255.0)), tf.uint8)


def _affine(values: tf.Tensor, matrix: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """matrix · pixel + shift, with a matrix (N, 3, 3) and a shift (N, 3) a patch."""
    shape = tf.shape(values)
    flat = tf.reshape(values, (shape[0], -1, 3))
    flat = tf.matmul(flat, matrix, transpose_b=True) + shift[:, None]
    return tf.ensure_shape(tf.reshape(flat, shape), values.shape)
