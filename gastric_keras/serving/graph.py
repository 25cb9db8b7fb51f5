"""What the served model computes: picture bytes in, calibrated probability out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from gastric_keras.data.decode import decode_rgb, fit
from gastric_keras.serving.class_point import ClassPoint, call_classes
from gastric_keras.serving.operating_point import OperatingPoint, call
from gastric_keras.serving.pixels import decode_with_care, needs_care
from gastric_keras.serving.stain import build_normalizer

#: Largest picture, in px: 75 MB decoded. Its header is read before it is.
MAX_PIXELS = 25_000_000
#: Most pictures in one request: what VGG-16 holds of 128 at 224 px is 3 GB.
MAX_PICTURES = 128
#: Pictures that a request decodes at a time, to bound its memory.
DECODED_AT_ONCE = 8

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_JPEG = b"\xff\xd8\xff"
#: Up to and with width and height of a PNG, two big-endian int32.
_HEADER = 24


def write_saved_model(
    model: keras.Model,
    folder: Path,
    *,
    point: OperatingPoint | ClassPoint,
    normalization: str | None = None,
) -> None:
    """Write a classifier as a SavedModel with three signatures.

    ``serving_default`` takes ``image_bytes`` (N,) string, JPEG or PNG of any size up to
    MAX_PIXELS, resized as in training; ``predict_array`` takes ``patch`` (N, h, w, 3)
    uint8 of the model's size. Both give ``<positive>_probability`` (N,) float32,
    calibrated; ``threshold`` (N,) float32, for that; ``label`` (N,) string;
    and ``raw_probabilities`` (N, classes) float32, the network's own. ``features``
    takes ``image_bytes`` and gives ``features`` (N, channels) float32, the pooled
    backbone. N is 1 to MAX_PICTURES; one bad picture fails its request, and the error
    names it. An ensemble also gives ``spread`` (N,) float32, the standard deviation of
    its members' raw probabilities. More than two classes: instead of
    ``<positive>_probability`` and ``threshold``, ``probabilities`` (N, classes)
    float32, calibrated; the label is the highest.

    Args:
        model: classifier out of ``build_classifier``, or two-class ensemble with the
            outputs ``probability`` and ``spread``; its layer ``pool`` gives the
            features.
        folder: to be made.
        point: of the run.
        normalization: of the stain of the training patches. Pictures go through it,
            each fitted by itself; patches must have gone through it.
    """
    normalize = build_normalizer(normalization)
    height, width = model.input_shape[1:3]
    assert height == width, "a run's patches are square"
    backbone = keras.Model(model.input, model.get_layer("pool").output)
    pictures = [tf.TensorSpec((None,), tf.string, "image_bytes")]
    patches = [tf.TensorSpec((None, height, width, 3), tf.uint8, "patch")]

    @_traced(patches)
    def answer(patches: tf.Tensor) -> dict[str, tf.Tensor]:
        return _call(model(patches, training=False), point)

    @_traced(patches)
    def pool(patches: tf.Tensor) -> tf.Tensor:
        return tf.cast(backbone(patches, training=False), tf.float32)

    @_traced(pictures)
    def read(image_bytes: tf.Tensor) -> tf.Tensor:
        return decode_all(image_bytes, height, normalize=normalize)

    def predict_array(patch: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([_check_shape(patch, "patch")]):
            patch = tf.identity(patch)
        with tf.control_dependencies([_check_count(tf.shape(patch)[0], "patch")]):
            return answer(tf.identity(patch))

    def predict_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(read(image_bytes))

    def features(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": pool(read(image_bytes))}

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", predict_bytes, input_signature=pictures)
    archive.add_endpoint("predict_array", predict_array, input_signature=patches)
    archive.add_endpoint("features", features, input_signature=pictures)
    archive.write_out(str(folder), verbose=False)


def _traced(signature: list[tf.TensorSpec]) -> Callable[[Callable], Callable]:
    """Trace a function once, for all that call it: the network and the reading of
    pictures are most of what an export writes and of what a process loads."""
    return lambda function: tf.function(
        function, signature, autograph=False
    ).get_concrete_function()


def _call(
    found: tf.Tensor | dict[str, tf.Tensor], point: OperatingPoint | ClassPoint
) -> dict[str, tf.Tensor]:
    """What is served of a model's answer; that of an ensemble is a dict."""
    if isinstance(point, ClassPoint):
        return call_classes(found, point)
    if not isinstance(found, dict):
        return call(found, point)
    # Of two classes both spread alike.
    spread = {"spread": found["spread"][:, point.index]}
    return call(found["probability"], point) | spread


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
        normalize: of the stain, (H, W, 3) uint8 to the same, before the resize.

    Returns:
        (N, image_size, image_size, 3) uint8, RGB.
    """
    # No picture is decoded before all have been checked.
    with tf.control_dependencies([_check_shape(image_bytes, "image_bytes")]):
        image_bytes = tf.identity(image_bytes)
    with tf.control_dependencies([_check_count(tf.size(image_bytes), "image_bytes")]):
        image_bytes = tf.identity(image_bytes)
    with tf.control_dependencies([_check_format(image_bytes)]):
        image_bytes = tf.identity(image_bytes)
    with tf.control_dependencies(_check_headers(image_bytes)):
        image_bytes = tf.identity(image_bytes)

    def decode(given: tuple[tf.Tensor, ...]) -> tf.Tensor:
        image, is_odd, number = given
        pixels = tf.cond(
            is_odd, lambda: decode_with_care(image, number), lambda: decode_rgb(image)
        )
        if normalize is not None:
            pixels = normalize(pixels)
        return fit(pixels, image_size)

    return tf.map_fn(
        decode,
        (image_bytes, needs_care(image_bytes), tf.range(tf.size(image_bytes))),
        fn_output_signature=tf.TensorSpec((image_size, image_size, 3), tf.uint8),
        parallel_iterations=DECODED_AT_ONCE,
    )


def _check_shape(given: tf.Tensor, name: str) -> tf.Operation:
    """Whether a tensor has the shape that its signature says, but for N."""
    wanted = given.shape.as_list()
    # TF Serving does not hold a request to its signature, and a patch of another shape
    # crashes the server. TensorFlow must forget the shape first, or it removes the
    # check as always true.
    shape = tf.shape(tf.raw_ops.PlaceholderWithDefault(input=given, shape=None))
    is_right = tf.cond(
        tf.size(shape) == len(wanted),
        lambda: tf.reduce_all(shape[1:] == tf.constant(wanted[1:], tf.int32)),
        lambda: False,
    )
    sides = ", ".join(map(str, ["n", *wanted[1:]]))
    message = tf.strings.format(
        f"{name} must have the shape ({sides}), got {{}}. Send it as the signature "
        "says.",
        [shape],
    )
    return tf.debugging.Assert(is_right, [message])


def _check_count(n: tf.Tensor, name: str) -> tf.Operation:
    message = tf.strings.format(
        f"{name} must hold 1 to {MAX_PICTURES} pictures, got {{}}. Send them in "
        "several requests.",
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
        "image_bytes must be JPEG or PNG, got image_bytes[{}] with {} bytes that are "
        "neither. Convert it; in JSON, send it as base64 under the key b64.",
        [first, tf.strings.length(image_bytes[first])],
    )
    return tf.debugging.Assert(tf.reduce_all(is_right), [message])


def _check_headers(image_bytes: tf.Tensor) -> list[tf.Operation]:
    sides = tf.map_fn(
        _read_shape,
        image_bytes,
        fn_output_signature=tf.TensorSpec((3,), tf.int64),
        parallel_iterations=DECODED_AT_ONCE,
    )
    pixels = sides[:, 0] * sides[:, 1]
    largest, first = tf.argmax(pixels), tf.argmax(sides[:, 2])
    too_large = tf.strings.format(
        f"image_bytes must have at most {MAX_PIXELS} px each, got image_bytes[{{}}] of "
        "{} px. Cut it into patches.",
        [largest, pixels[largest]],
    )
    of_print = tf.strings.format(
        "image_bytes must be RGB or gray, got image_bytes[{}], a CMYK JPEG. Convert it "
        "to RGB, by its color profile where it has one.",
        [first],
    )
    return [
        tf.debugging.Assert(tf.reduce_max(pixels) <= MAX_PIXELS, [too_large]),
        tf.debugging.Assert(tf.reduce_max(sides[:, 2]) <= 3, [of_print]),
    ]


def _is_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    return tf.strings.substr(image_bytes, 0, len(_JPEG)) == _JPEG


def _read_shape(image: tf.Tensor) -> tf.Tensor:
    """Height, width and channels by the header alone, (3,) int64; of a PNG 3."""

    def of_jpeg() -> tf.Tensor:
        return tf.cast(tf.io.extract_jpeg_shape(image), tf.int64)

    def of_png() -> tf.Tensor:
        sides = tf.strings.substr(image, _HEADER - 8, 8)
        sides = tf.io.decode_raw(sides, tf.int32, little_endian=False)
        # PNG allows 2³¹ - 1; more is a negative number and not a picture.
        sides = tf.cast(tf.where(sides < 0, tf.int32.max, sides), tf.int64)
        return tf.concat([sides, [3]], 0)

    return tf.cond(_is_jpeg(image), of_jpeg, of_png)
