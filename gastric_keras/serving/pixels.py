"""Pictures of a request to pixels, in the graph, as data_prep reads the same bytes.

The rules are those of :mod:`gastric_keras.imaging.headers` and
:mod:`gastric_keras.imaging.orientation`; tests/faults/pixel_parity.py compares the two.
"""

from __future__ import annotations

import tensorflow as tf

from gastric_keras.data.decode import decode_rgb

#: Bytes without which a picture needs no second look. ``\\C`` is any byte.
_MARKS = r"\C*(?:eXIf|acTL|tRNS|Exif\x00\x00|tiff:Orientation|Raw profile type )\C*"
_XMP = r'\C*tiff:Orientation(?:="|>)[2-8]\C*'
_RAW_PROFILE = r"\C*Raw profile type (?:exif|EXIF|app1|APP1)\C*"
_PNG_START, _JPEG_START = 8, 2
#: Places of depth and kind of color in a PNG, and the kinds with alpha.
_DEPTH, _COLOR = 24, 25
_RGB, _WITH_ALPHA = 2, (4, 6)
#: Most bytes of EXIF: those that a segment of a JPEG holds.
_EXIF_BYTES = 65536
_TAG, _KINDS = 0x0112, (1, 3, 4)


def needs_care(image_bytes: tf.Tensor) -> tf.Tensor:
    """Which pictures may be more than plain pixels.

    Args:
        image_bytes: (N,) string, JPEG or PNG.

    Returns:
        (N,) bool: alpha, an orientation or an animation are possible.
    """
    # Filled up, for what ends within the header.
    begins = tf.strings.substr(image_bytes, 0, _COLOR + 1) + bytes(_COLOR + 1)
    color = tf.strings.substr(begins, _COLOR, 1)
    has_alpha = _is_png(image_bytes) & (
        (color == bytes([_WITH_ALPHA[0]])) | (color == bytes([_WITH_ALPHA[1]]))
    )
    return has_alpha | tf.strings.regex_full_match(image_bytes, _MARKS)


def decode_with_care(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Decode a picture of any kind: over white, and upright.

    Args:
        image: () string, JPEG or PNG.
        number: () int32, its place in the request, for the messages.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    pixels = tf.cond(
        _is_png(image),
        lambda: _decode_png(image, number),
        lambda: _decode_jpeg(image, number),
    )
    pixels.set_shape((None, None, 3))
    return pixels


def without_alpha(rgba: tf.Tensor) -> tf.Tensor:
    """(H, W, 4) uint8 RGBA to (H, W, 3) RGB, as imaging's function of that name."""
    values = tf.cast(rgba, tf.int32)
    alpha = values[..., 3:]
    # An alpha that hides the whole picture is not meant.
    alpha = tf.cond(
        tf.reduce_max(alpha) == 0, lambda: tf.ones_like(alpha) * 255, lambda: alpha
    )
    return tf.cast(
        (values[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8
    )


def orientation_of(exif: tf.Tensor) -> tf.Tensor:
    """The orientation that the first directory of EXIF states.

    Args:
        exif: () string, from its byte order mark on.

    Returns:
        () int32: 1 to 8; 0 where it is not there or none of these.
    """
    exif = tf.cond(
        _part(exif, 0, 6) == b"Exif\0\0",
        lambda: _part(exif, 6, _EXIF_BYTES),
        lambda: exif,
    )
    mark = _part(exif, 0, 4)
    is_little = mark == b"II*\0"
    start = _number(exif, 4, 4, is_little)
    entries = _part(exif, start + 2, 12 * _number(exif, start, 2, is_little))
    n = tf.strings.length(entries) // 12
    table = tf.io.decode_raw(_part(entries, 0, 12 * n), tf.uint8)
    table = tf.cast(tf.reshape(table, (-1, 12)), tf.int32)

    def short(column: int) -> tf.Tensor:
        first, second = table[:, column], table[:, column + 1]
        return tf.where(is_little, first + 256 * second, 256 * first + second)

    kind = short(2)
    is_known = tf.reduce_any(kind[:, None] == tf.constant(_KINDS), axis=1)
    is_right = (short(0) == _TAG) & is_known
    # A big-endian SHORT or LONG keeps its last byte further on.
    value = tf.where(
        kind == 3, table[:, 9], tf.where(kind == 4, table[:, 11], table[:, 8])
    )
    value = tf.where(is_little, table[:, 8], value)
    found = tf.concat([tf.boolean_mask(value, is_right), [0]], 0)[0]
    is_exif = is_little | (mark == b"MM\0*")
    return tf.where(is_exif & (found >= 1) & (found <= 8), found, 0)


def turn_upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn (H, W, 3) as EXIF says, as imaging's function of that name."""

    def when(numbers: tuple[int, ...], turned: tf.Tensor, same: tf.Tensor) -> tf.Tensor:
        is_one = tf.reduce_any(orientation == tf.constant(numbers))
        return tf.cond(is_one, lambda: turned, lambda: same)

    pixels = when((5, 6, 7, 8), tf.transpose(pixels, (1, 0, 2)), pixels)
    pixels = when((2, 3, 6, 7), pixels[:, ::-1], pixels)
    return when((3, 4, 7, 8), pixels[::-1], pixels)


def _decode_png(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    exif, is_animated, has_color = _read_chunks(image)
    header = tf.io.decode_raw(_part(image, 0, _COLOR + 1), tf.uint8)
    is_deep_rgb = (header[_DEPTH] == 16) & (header[_COLOR] == _RGB)
    orientation = orientation_of(exif)
    checks = [
        _require(
            ~is_animated,
            "image_bytes must hold one picture each, got image_bytes[{}], an animated "
            "PNG. Save the picture you want as a PNG of its own.",
            number,
        ),
        _require(
            ~(is_deep_rgb & has_color),
            "A PNG of 16 bits in color must have no transparent color, got "
            "image_bytes[{}] with a tRNS chunk. Save it with an alpha channel, or "
            "without one.",
            number,
        ),
        _require_exif(image, orientation, number),
    ]
    with tf.control_dependencies(checks):
        rgba = tf.io.decode_png(image, channels=4)
    return turn_upright(without_alpha(rgba), orientation)


def _decode_jpeg(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    exif, end = _read_segments(image)
    orientation = orientation_of(exif)
    check = _require_exif(_part(image, 0, end), orientation, number)
    with tf.control_dependencies([check]):
        pixels = decode_rgb(image)
    return turn_upright(pixels, orientation)


def _require(condition: tf.Tensor, rule: str, number: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(condition, [tf.strings.format(rule, [number])])


def _require_exif(
    header: tf.Tensor, orientation: tf.Tensor, number: tf.Tensor
) -> tf.Operation:
    is_hidden = tf.strings.regex_full_match(header, _XMP)
    is_hidden |= tf.strings.regex_full_match(header, _RAW_PROFILE)
    return _require(
        (orientation > 0) | ~is_hidden,
        "A picture must state its orientation in EXIF, got image_bytes[{}] with XMP or "
        "a raw profile only; programs differ in what they show. Save it upright: "
        "magick in.png -auto-orient -strip out.png.",
        number,
    )


def _read_chunks(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Of a PNG: its EXIF, and whether it is animated, has a transparent color."""
    length = tf.strings.length(image)

    def is_inside(place: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return place + 12 <= length

    def step(
        place: tf.Tensor,
        exif: tf.Tensor,
        has_exif: tf.Tensor,
        is_animated: tf.Tensor,
        has_color: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        size, name = _number(image, place, 4, False), _part(image, place + 4, 4)
        # What ends behind the file is no chunk, nor is one of 2 GB.
        is_whole = (size >= 0) & (size <= length - 12 - place)
        is_first = is_whole & (name == b"eXIf") & ~has_exif
        exif = tf.cond(is_first, lambda: _part(image, place + 8, size), lambda: exif)
        ends = ~is_whole | (name == b"IEND")
        return (
            tf.where(ends, length, place + 12 + tf.maximum(size, 0)),
            exif,
            has_exif | is_first,
            is_animated | (is_whole & (name == b"acTL")),
            has_color | (is_whole & (name == b"tRNS")),
        )

    start = (tf.constant(_PNG_START), tf.constant(b""), *[tf.constant(False)] * 3)
    found = tf.while_loop(is_inside, step, start)
    return found[1], found[3], found[4]


def _read_segments(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of a JPEG: its EXIF, and where its last segment before the pixels ends."""
    length = tf.strings.length(image)

    def is_inside(place: tf.Tensor, end: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return (place + 4 <= length) & (_part(image, place, 1) == b"\xff")

    def step(
        place: tf.Tensor, end: tf.Tensor, exif: tf.Tensor, has_exif: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        marker = _part(image, place + 1, 1)
        size = _number(image, place + 2, 2, False)
        is_fill = marker == b"\xff"
        is_last = (marker == b"\xda") | (marker == b"\xd9")
        is_exif = (marker == b"\xe1") & (_part(image, place + 4, 6) == b"Exif\0\0")
        is_first = is_exif & ~has_exif
        exif = tf.cond(
            is_first, lambda: _part(image, place + 10, size - 8), lambda: exif
        )
        behind = place + 2 + size
        is_segment = ~(is_fill | is_last)
        return (
            tf.where(is_last, length, tf.where(is_fill, place + 1, behind)),
            tf.where(is_segment, behind, end),
            exif,
            has_exif | is_first,
        )

    start = (
        tf.constant(_JPEG_START),
        tf.constant(_JPEG_START),
        tf.constant(b""),
        tf.constant(False),
    )
    found = tf.while_loop(is_inside, step, start)
    return found[2], found[1]


def _is_png(image: tf.Tensor) -> tf.Tensor:
    return tf.strings.substr(image, 0, 4) == b"\x89PNG"


def _part(text: tf.Tensor, start: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Some bytes; fewer where the text ends, as a slice in Python."""
    start = tf.clip_by_value(start, 0, tf.strings.length(text))
    return tf.strings.substr(text, start, tf.maximum(size, 0))


def _number(
    text: tf.Tensor, start: tf.Tensor, size: int, is_little: tf.Tensor | bool
) -> tf.Tensor:
    """() int32 of 2 or 4 bytes; negative at 2³¹ and above; 0 behind the end."""
    part = _part(text, start, size)
    digits = tf.concat([tf.io.decode_raw(part, tf.uint8), tf.zeros(4, tf.uint8)], 0)
    digits = tf.cast(digits[:size], tf.int32)
    digits = tf.where(is_little, digits, digits[::-1])
    return tf.reduce_sum(tf.bitwise.left_shift(digits, 8 * tf.range(size)))
