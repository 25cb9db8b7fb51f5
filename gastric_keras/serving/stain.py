"""Stain normalization inside the served graph: ``imaging.normalization`` in TensorFlow.

A served picture is fitted by itself, as data_prep fits the pictures of a set. The
constants are those of the NumPy code, and a test holds the pixels within one gray level
of it.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from gastric_keras.imaging import normalization as numpy_form
from gastric_keras.imaging.normalization import STAIN_METHODS
from gastric_keras.support.errors import require

#: (3, 4) affine map, and whether it can be used.
_Fit = tuple[tf.Tensor, tf.Tensor]


def build_normalizer(method: str | None) -> Callable[[tf.Tensor], tf.Tensor] | None:
    """The function that a graph applies to a decoded picture.

    Args:
        method: ``reinhard`` or ``macenko``; None leaves the colors as they are.

    Returns:
        Maps (H, W, 3) uint8, RGB, to the same; a picture whose stain cannot be told
        stays as it is, as in data_prep. None for None.

    Raises:
        InputError: another method.
    """
    if method is None:
        return None
    require(
        method in STAIN_METHODS,
        f"normalization must be null or one of {', '.join(STAIN_METHODS)}",
        "Make the set and the run again with this version.",
        normalization=method,
    )
    fit, change = {
        "reinhard": (_fit_reinhard, _light_of_reinhard),
        "macenko": (_fit_macenko, _light_of_macenko),
    }[method]

    def normalize(pixels: tf.Tensor) -> tf.Tensor:
        matrix, is_fitted = fit(tf.reshape(_overview(pixels), (-1, 3)))
        return tf.cond(
            is_fitted,
            lambda: _mixed(pixels, change(pixels, tf.cast(matrix, tf.float32))),
            lambda: pixels,
        )

    return normalize


def _overview(pixels: tf.Tensor) -> tf.Tensor:
    """The view that the stain is fitted on: see ``Picture.overview``."""
    shape = tf.shape(pixels)[:2]
    sides = tf.cast(shape, tf.float64)
    factor = tf.reduce_max(sides) / numpy_form.FIT_SIDE
    small = tf.maximum(1, tf.cast(tf.round(sides / tf.maximum(factor, 1)), tf.int32))

    def shrink() -> tf.Tensor:
        view = tf.image.resize(pixels, small, method="area")
        return tf.cast(tf.round(view), tf.uint8)

    return tf.cond(factor > 1, shrink, lambda: pixels)


def _density(pixels: tf.Tensor) -> tf.Tensor:
    table = tf.constant(numpy_form.DENSITY_OF_BYTE, tf.float32)
    return tf.gather(table, tf.cast(pixels, tf.int32))


def _exp(logarithm: tf.Tensor) -> tf.Tensor:
    return tf.exp(tf.clip_by_value(logarithm, -7.0, 7.0))


def _affine(values: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """(H, W, 3) through a (3, 3) or (3, 4) map, as cv2.transform does."""
    # Sums of three, not a matrix product: that loses digits on some GPUs.
    rows = [
        tf.reduce_sum(values * matrix[row, :3], axis=-1)
        + (matrix[row, 3] if matrix.shape[1] == 4 else 0.0)
        for row in range(3)
    ]
    return tf.stack(rows, axis=-1)


def _light_of_macenko(pixels: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    return numpy_form.GLASS * _exp(-_affine(_density(pixels), matrix)) - 1


def _light_of_reinhard(pixels: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    values = tf.maximum(tf.cast(pixels, tf.float32), 1.0)
    cones = _affine(values, tf.constant(numpy_form.LMS_FROM_RGB, tf.float32))
    return _affine(
        _exp(_affine(tf.math.log(cones), matrix)),
        tf.constant(numpy_form.RGB_FROM_LMS, tf.float32),
    )


def _mixed(pixels: tf.Tensor, light: tf.Tensor) -> tf.Tensor:
    """Glass as it is, tissue changed, and between them a part of both."""
    start, end = numpy_form.GLASS_TO_TISSUE
    mean = tf.reduce_mean(_density(pixels), axis=-1, keepdims=True)
    share = tf.clip_by_value((mean - start) / (end - start), 0.0, 1.0)
    mixed = share * tf.clip_by_value(light, 0.0, 255.0)
    mixed += (1 - share) * tf.cast(pixels, tf.float32)
    return tf.cast(tf.round(mixed), tf.uint8)


def _no_fit() -> _Fit:
    return tf.zeros((3, 4), tf.float64), tf.constant(False)


def _with_enough(
    pixels: tf.Tensor, fit: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
) -> _Fit:
    is_enough = tf.shape(pixels)[0] >= numpy_form.LEAST_PIXELS

    def fitted() -> _Fit:
        matrix, is_right = fit(pixels)
        return matrix, is_right & tf.reduce_all(tf.math.is_finite(matrix))

    return tf.cond(is_enough, fitted, _no_fit)


def _fit_reinhard(pixels: tf.Tensor) -> _Fit:
    green = _density(pixels[:, 1])
    tissue = tf.boolean_mask(pixels, green >= numpy_form.PALE_DENSITY)
    return _with_enough(tissue, _match_moments)


def _match_moments(tissue: tf.Tensor) -> _Fit:
    to_cones, to_lab, from_lab, mean, std = (
        tf.constant(value, tf.float64)
        for value in (
            numpy_form.LMS_FROM_RGB,
            numpy_form.LAB_FROM_LOG,
            numpy_form.LOG_FROM_LAB,
            numpy_form.REFERENCE_MEAN,
            numpy_form.REFERENCE_STD,
        )
    )
    light = tf.maximum(tf.cast(tissue, tf.float64), 1.0)
    cones = tf.math.log(tf.matmul(light, to_cones, transpose_b=True))
    lab = tf.matmul(cones, to_lab, transpose_b=True)
    found_mean = tf.reduce_mean(lab, axis=0)
    found_std = tf.math.reduce_std(lab, axis=0)
    is_right = tf.reduce_all(found_std * numpy_form.MOST_GAIN >= std)
    turn = from_lab @ tf.linalg.diag(std / found_std) @ to_lab
    shift = tf.linalg.matvec(from_lab, mean) - tf.linalg.matvec(
        turn, tf.linalg.matvec(from_lab, found_mean)
    )
    return tf.concat([turn, shift[:, None]], axis=1), is_right


def _fit_macenko(pixels: tf.Tensor) -> _Fit:
    density = tf.cast(_density(pixels), tf.float64)
    is_tissue = tf.reduce_all(density >= numpy_form.LEAST_DENSITY, axis=1)
    return _with_enough(tf.boolean_mask(density, is_tissue), _match_stains)


def _match_stains(density: tf.Tensor) -> _Fit:
    stains, is_right = _find_stains(density)
    # Of two stains that are one there is no inverse: any two will do there.
    stains = tf.cond(is_right, lambda: stains, lambda: tf.eye(3, 2, dtype=tf.float64))
    to_amounts = tf.linalg.inv(tf.matmul(stains, stains, transpose_a=True))
    to_amounts = tf.matmul(to_amounts, stains, transpose_b=True)
    amounts = tf.matmul(density, to_amounts, transpose_b=True)
    top = numpy_form.EXTREMES[1]
    highest = tf.stack([_percentile(amounts[:, column], top) for column in range(2)])
    wanted = tf.constant(numpy_form.REFERENCE_AMOUNTS, tf.float64)
    is_right &= tf.reduce_all(highest * numpy_form.MOST_GAIN >= wanted)
    reference = tf.constant(numpy_form.REFERENCE_STAINS, tf.float64)
    turn = reference @ tf.linalg.diag(wanted / highest) @ to_amounts
    return tf.concat([turn, tf.zeros((3, 1), tf.float64)], axis=1), is_right


def _find_stains(density: tf.Tensor) -> _Fit:
    """(3, 2) unit densities of hematoxylin and eosin, and whether they are two."""
    centered = density - tf.reduce_mean(density, axis=0)
    of_freedom = tf.cast(tf.shape(density)[0] - 1, tf.float64)
    covariance = tf.matmul(centered, centered, transpose_a=True) / of_freedom
    _, axes = tf.linalg.eigh(covariance)
    first, second = axes[:, 2], axes[:, 1]
    ahead = tf.reduce_mean(tf.linalg.matvec(density, first))
    first *= tf.where(ahead >= 0, tf.ones_like(ahead), -tf.ones_like(ahead))
    angles = tf.math.atan2(
        tf.linalg.matvec(density, second), tf.linalg.matvec(density, first)
    )
    ends = [_percentile(angles, part) for part in numpy_form.EXTREMES]
    one, other = (first * tf.cos(end) + second * tf.sin(end) for end in ends)
    # Hematoxylin takes the more red of the two.
    is_ordered = one[0] >= other[0]
    stains = tf.where(
        is_ordered, tf.stack([one, other], axis=1), tf.stack([other, one], axis=1)
    )
    sine = tf.norm(tf.linalg.cross(one, other))
    is_right = (sine >= numpy_form.LEAST_SINE) & tf.reduce_all(
        stains >= numpy_form.LEAST_SHARE
    )
    return stains, is_right


def _percentile(values: tf.Tensor, part: int) -> tf.Tensor:
    """As np.percentile does it: linear between the two nearest ranks."""
    ordered = tf.sort(values)
    last = tf.shape(values)[0] - 1
    place = tf.cast(last, tf.float64) * (part / 100)
    below = tf.cast(tf.floor(place), tf.int32)
    low, high = ordered[below], ordered[tf.minimum(below + 1, last)]
    return low + (high - low) * (place - tf.floor(place))
