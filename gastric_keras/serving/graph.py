"""What the served model computes: picture bytes in, calibrated probability out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from gastric_keras.data.decode import decode
from gastric_keras.serving.stain import build_normalizer
from gastric_keras.statistics.calibration import SMALLEST, scale_threshold

#: Largest picture, in px: 75 MB decoded. Its header is read before it is.
MAX_PIXELS = 25_000_000
#: Most pictures in one request: what VGG-16 holds of 128 at 224 px is 3 GB.
MAX_PICTURES = 128
#: Pictures that a request decodes at a time, so that its memory has a bound.
DECODED_AT_ONCE = 8

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_JPEG = b"\xff\xd8\xff"
#: Up to and with width and height of a PNG, two big-endian int32.
_HEADER = 24


@dataclass(frozen=True)
class OperatingPoint:
    """How probabilities become calls.

    Attributes:
        classes: two names, in label order.
        positive: of them.
        raw_threshold: a probability out of the network at or above it is positive.
        temperature: that probabilities are scaled by, see ``calibration``.
    """

    classes: tuple[str, ...]
    positive: str
    raw_threshold: float
    temperature: float

    @property
    def threshold(self) -> float:
        """The same threshold for calibrated probabilities."""
        return scale_threshold(self.raw_threshold, self.temperature)

    @property
    def index(self) -> int:
        """Column of the positive class."""
        return self.classes.index(self.positive)

    @property
    def negative(self) -> str:
        """The other class."""
        return self.classes[1 - self.index]


def write_saved_model(
    model: keras.Model,
    folder: Path,
    *,
    point: OperatingPoint,
    normalization: str | None = None,
) -> None:
    """Write a classifier as a SavedModel with three signatures.

    ``serving_default`` takes ``image_bytes`` (N,) string, JPEG or PNG of any size up to
    MAX_PIXELS, resized as in training; ``predict_array`` takes ``patch`` (N, h, w, 3)
    uint8 of the model's size. Both give ``<positive>_probability`` (N,) float32,
    calibrated; ``threshold`` (N,) float32, for that; ``label`` (N,) string, the call;
    and ``raw_probabilities`` (N, classes) float32, the network's own. ``features``
    takes ``image_bytes`` and gives ``features`` (N, channels) float32, the pooled
    backbone. N is 1 to MAX_PICTURES; one bad picture fails its request, and the error
    names it.

    Args:
        model: two-class classifier out of ``build_classifier``.
        folder: to be made.
        point: of the run.
        normalization: of the stain of the training patches. Pictures go through it,
            each fitted by itself; patches must have gone through it.
    """
    normalize = build_normalizer(normalization)
    height, width = model.input_shape[1:3]
    assert height == width, "a run's patches are square"
    backbone = keras.Model(model.input, model.get_layer("pool").output)

    def predict_array(patch: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([_check_shape(patch, "patch")]):
            patch = tf.identity(patch)
        with tf.control_dependencies([_check_count(tf.shape(patch)[0], "patch")]):
            return call(model(tf.identity(patch), training=False), point)

    def read(image_bytes: tf.Tensor) -> tf.Tensor:
        return decode_all(image_bytes, height, normalize=normalize)

    def predict_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return call(model(read(image_bytes), training=False), point)

    def features(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        pooled = backbone(read(image_bytes), training=False)
        return {"features": tf.cast(pooled, tf.float32)}

    pictures = [tf.TensorSpec((None,), tf.string, "image_bytes")]
    patches = [tf.TensorSpec((None, height, width, 3), tf.uint8, "patch")]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", predict_bytes, input_signature=pictures)
    archive.add_endpoint("predict_array", predict_array, input_signature=patches)
    archive.add_endpoint("features", features, input_signature=pictures)
    archive.write_out(str(folder), verbose=False)


def call(probabilities: tf.Tensor, point: OperatingPoint) -> dict[str, tf.Tensor]:
    """Calibrate probabilities and call them, as ``calibration`` does in NumPy.

    Args:
        probabilities: (N, 2) float32, out of the network.
        point: of the run.

    Returns:
        The outputs of :func:`write_saved_model`.
    """
    # In double precision, like evaluation: a call must not hang on a rounding.
    raw = tf.cast(probabilities, tf.float64)
    logits = tf.math.log(tf.clip_by_value(raw, SMALLEST, 1.0)) / point.temperature
    calibrated = tf.nn.softmax(logits)[:, point.index]
    is_positive = raw[:, point.index] >= point.raw_threshold
    return {
        f"{point.positive}_probability": tf.cast(calibrated, tf.float32),
        "threshold": tf.fill(
            tf.shape(calibrated), tf.constant(point.threshold, tf.float32)
        ),
        "label": tf.where(is_positive, point.positive, point.negative),
        "raw_probabilities": probabilities,
    }


def decode_all(
    image_bytes: tf.Tensor,
    image_size: int,
    *,
    normalize: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tf.Tensor:
    """Check the pictures of a request, then decode, normalize and resize them.

    Args:
        image_bytes: (N,) string, JPEG or PNG.
        image_size: side in px.
        normalize: see ``decode``.

    Returns:
        (N, image_size, image_size, 3) uint8, RGB.
    """
    # No picture is decoded before all have been looked at.
    with tf.control_dependencies([_check_shape(image_bytes, "image_bytes")]):
        image_bytes = tf.identity(image_bytes)
    with tf.control_dependencies([_check_count(tf.size(image_bytes), "image_bytes")]):
        image_bytes = tf.identity(image_bytes)
    with tf.control_dependencies([_check_format(image_bytes)]):
        image_bytes = tf.identity(image_bytes)
    with tf.control_dependencies([_check_size(image_bytes)]):
        image_bytes = tf.identity(image_bytes)
    return tf.map_fn(
        lambda image: decode(image, image_size, normalize=normalize),
        image_bytes,
        fn_output_signature=tf.TensorSpec((image_size, image_size, 3), tf.uint8),
        parallel_iterations=DECODED_AT_ONCE,
    )


def _check_shape(given: tf.Tensor, name: str) -> tf.Operation:
    """Whether a tensor has the shape that its signature says, but for N."""
    wanted = given.shape.as_list()
    # Nobody holds a request to its signature, and a patch of another shape brings the
    # whole server down. To TensorFlow the shape is known: it must forget it first, or
    # it takes the check for idle and leaves it out.
    shape = tf.shape(tf.raw_ops.PlaceholderWithDefault(input=given, shape=None))
    is_right = tf.cond(
        tf.size(shape) == len(wanted),
        lambda: tf.reduce_all(shape[1:] == tf.constant(wanted[1:], tf.int32)),
        lambda: False,
    )
    sides = ", ".join(map(str, ["n", *wanted[1:]]))
    message = tf.strings.format(
        f"Input of shape ({sides}) was expected. Received: {name} with shape {{}}. "
        "Send it as the signature says.",
        [shape],
    )
    return tf.debugging.Assert(is_right, [message])


def _check_count(n: tf.Tensor, name: str) -> tf.Operation:
    message = tf.strings.format(
        f"1 to {MAX_PICTURES} pictures in a request were expected. Received: {name} "
        "with {}. Send them in several requests.",
        [n],
    )
    return tf.debugging.Assert((n >= 1) & (n <= MAX_PICTURES), [message])


def _check_format(image_bytes: tf.Tensor) -> tf.Operation:
    begins = tf.strings.substr(image_bytes, 0, _HEADER)
    is_right = _is_jpeg(begins) | (
        (tf.strings.substr(begins, 0, len(_PNG)) == _PNG)
        & (tf.strings.length(begins) == _HEADER)
    )
    first = tf.argmin(tf.cast(is_right, tf.int32))
    message = tf.strings.format(
        "A JPEG or PNG picture was expected. Received: image_bytes[{}] with {} bytes "
        "that are neither. Convert it; in JSON, send it as base64 under the key b64.",
        [first, tf.strings.length(image_bytes[first])],
    )
    return tf.debugging.Assert(tf.reduce_all(is_right), [message])


def _check_size(image_bytes: tf.Tensor) -> tf.Operation:
    pixels = tf.map_fn(
        _count_pixels,
        image_bytes,
        fn_output_signature=tf.TensorSpec((), tf.int64),
        parallel_iterations=DECODED_AT_ONCE,
    )
    largest = tf.argmax(pixels)
    message = tf.strings.format(
        f"Pictures of {MAX_PIXELS} px or fewer were expected. Received: "
        "image_bytes[{}] of {} px. Cut it into patches.",
        [largest, pixels[largest]],
    )
    return tf.debugging.Assert(tf.reduce_max(pixels) <= MAX_PIXELS, [message])


def _is_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    return tf.strings.substr(image_bytes, 0, len(_JPEG)) == _JPEG


def _count_pixels(image: tf.Tensor) -> tf.Tensor:
    """Pixels that a picture says it has, () int64, by its header alone."""

    def of_jpeg() -> tf.Tensor:
        return tf.cast(tf.io.extract_jpeg_shape(image)[:2], tf.int64)

    def of_png() -> tf.Tensor:
        sides = tf.strings.substr(image, _HEADER - 8, 8)
        sides = tf.io.decode_raw(sides, tf.int32, little_endian=False)
        # PNG allows 2³¹ - 1; more is a negative number and no picture.
        return tf.cast(tf.where(sides < 0, tf.int32.max, sides), tf.int64)

    return tf.reduce_prod(tf.cond(_is_jpeg(image), of_jpeg, of_png))
