"""Pairs of views of each patch, for a t=1 without labels (SimCLR, arXiv 2002.05709)."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.random.experimental import stateless_fold_in

from gastric_keras.config.fit import AugmentConfig
from gastric_keras.data.augment import augment
from gastric_keras.data.batch_part import WHOLE, BatchPart


def pair_views(
    images: tf.Tensor,
    seed: tf.Tensor,
    config: AugmentConfig,
    *,
    crop: float,
    part: BatchPart = WHOLE,
) -> tf.Tensor:
    """Two random views of each patch of a batch, one behind the other.

    Args:
        images: (N, h, w, 3) uint8.
        seed: (2,) int; the same seed gives the same views.
        config: what both views go through, behind the crop.
        crop: see :func:`crop_views`.
        part: see :func:`augment`.

    Returns:
        (2N, h, w, 3) uint8: views 2i and 2i + 1 are of patch i. Side by side, so that
        a batch divided among devices keeps its pairs.
    """
    twice = tf.repeat(images, 2, axis=0)
    seeds = tf.random.split(tf.cast(seed, tf.int64), 2)
    if crop:
        twice = crop_views(twice, seeds[0], crop=crop, part=part)
    return augment(twice, seeds[1], config, part)


def crop_views(
    images: tf.Tensor, seed: tf.Tensor, *, crop: float, part: BatchPart = WHOLE
) -> tf.Tensor:
    """A square of each patch, at a random place, enlarged to the whole.

    Args:
        images: (N, h, w, 3) uint8.
        seed: (2,) int.
        crop: in [0, 1): the square's side is 1 − ``crop`` to 1 of the patch's.
        part: see :func:`augment`.

    Returns:
        (N, h, w, 3) uint8.
    """
    n = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((part.whole(n), 3), seed)
    side = 1 - crop * draws[:, :1]
    corner = draws[:, 1:] * (1 - side)
    height, width = images.shape[1:3]
    views = tf.image.crop_and_resize(
        tf.cast(images, tf.float32),
        part.rows(tf.concat([corner, corner + side], axis=1)),
        tf.range(n),
        (height, width),
    )
    return tf.cast(tf.round(tf.clip_by_value(views, 0, 255)), tf.uint8)


def paired_batches(
    batches: tf.data.Dataset,
    config: AugmentConfig,
    *,
    crop: float,
    seed: int,
    first: int,
    part: BatchPart = WHOLE,
) -> tf.data.Dataset:
    """Training batches of patches to batches of pairs of views.

    Args:
        batches: of (images, labels), which are not read.
        config: see :func:`pair_views`.
        crop: likewise.
        seed: of the views.
        first: number of the first batch in the whole fit: a resumed fit draws what an
            unbroken one would have.
        part: rows of each batch that are there.

    Returns:
        Batches of (views, number of the patch in its batch).
    """

    def views(step: tf.Tensor, batch: tuple) -> tuple[tf.Tensor, tf.Tensor]:
        seeds = stateless_fold_in(tf.constant([seed, 1], tf.int64), step)
        images = pair_views(batch[0], seeds, config, crop=crop, part=part)
        return images, tf.repeat(tf.range(tf.shape(batch[0])[0]), 2)

    batches = batches.enumerate(first)
    return batches.map(views, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def paired_validation(
    patches: tf.data.Dataset, config: AugmentConfig, *, crop: float, seed: int
) -> tf.data.Dataset:
    """Each validation patch as one pair of views, the same ones in every epoch.

    Args:
        patches: an ``eval_dataset``.
        config: see :func:`pair_views`.
        crop: likewise.
        seed: of the views.

    Returns:
        Dataset of dicts: image (2 · batch, h, w, 3) uint8; label (2 · batch,) int64.
    """

    def views(step: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        seeds = stateless_fold_in(tf.constant([seed, 2], tf.int64), step)
        images = pair_views(batch["image"], seeds, config, crop=crop)
        return {"image": images, "label": tf.repeat(batch["label"], 2)}

    return patches.enumerate().map(views)
