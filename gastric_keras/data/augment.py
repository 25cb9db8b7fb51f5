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
#: Weights of R, G and B in the brightness that the eye sees (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Most pixels that one row of a product holds.
_PIXELS_TOGETHER = 16


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
    n, height, width, depth = tf.unstack(tf.shape(images))
    turns = tf.zeros_like(flips, tf.int32) if turns is None else turns
    # All eight views are a transposition and two mirrors, each done or not: a quarter
    # turn is a transposition, then up-down; a mirror before a transposition is the
    # other mirror after it.
    is_odd = turns % 2 == 1
    up_down = tf.logical_or(turns == 1, turns == 2) ^ (flips & is_odd)
    left_right = (turns >= 2) ^ (flips & ~is_odd)

    def places(side: tf.Tensor, mirrored: tf.Tensor) -> tf.Tensor:
        forth = tf.range(side)
        return tf.where(mirrored[:, None], side - 1 - forth, forth)

    # Where each pixel comes from, counted through the batch: one look-up moves all,
    # where three choices between two whole batches take four times as long.
    down = tf.where(is_odd, 1, width)[:, None] * places(height, up_down)
    right = tf.where(is_odd, width, 1)[:, None] * places(width, left_right)
    down += (tf.range(n) * height * width)[:, None]
    sources = down[:, :, None] + right[:, None]
    views = tf.gather(tf.reshape(images, (-1, depth)), sources)
    return tf.ensure_shape(views, images.shape)


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
    # In ln I instead, which spares a pass over the batch on either side: with
    # OD = (ln 255 - ln I) / ln 10, ln I' = M·ln I + (1 - M·1)·ln 255 - ln 10 · shift.
    light = tf.math.log(tf.cast(tf.maximum(images, 1), tf.float32))
    white = float(np.log(255.0)) * (1.0 - tf.reduce_sum(matrix, axis=2))
    shift = white - float(np.log(10.0)) * shift
    return _grey_levels(tf.exp(_affine(light, part.rows(matrix), part.rows(shift))))


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
    return _grey_levels(values)


def _affine(values: tf.Tensor, matrix: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """matrix · pixel + shift, with a matrix (N, 3, 3) and a shift (N, 3) a patch."""
    shape = tf.shape(values)
    pixels = values.shape[1] * values.shape[2]
    # Several pixels at a time, by a matrix with as many copies on its diagonal: rows of
    # three numbers are too short for a processor, and the zeros between add nothing.
    several = max(n for n in range(1, _PIXELS_TOGETHER + 1) if pixels % n == 0)
    diagonal = np.eye(several, dtype=np.float32)[:, None, :, None]
    wide = tf.reshape(
        diagonal * matrix[:, None, :, None], (-1, 3 * several, 3 * several)
    )
    flat = tf.reshape(values, (shape[0], -1, 3 * several))
    flat = tf.matmul(flat, wide, transpose_b=True)
    flat += tf.tile(shift, (1, several))[:, None]
    return tf.ensure_shape(tf.reshape(flat, shape), values.shape)


def _grey_levels(values: tf.Tensor) -> tf.Tensor:
    """Numbers rounded to uint8, 0 and 255 for what lies beyond, in one pass."""
    levels = tf.raw_ops.QuantizeV2(
        input=values, min_range=0.0, max_range=255.0, T=tf.quint8
    ).output
    return tf.bitcast(levels, tf.uint8)
