"""Pictures and arrays that a request may hold, drawn one fault at a time."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from tests.faults.mutations import cut, flip, scramble

#: What AlexNet takes at its smallest.
SIDE = 63
#: Of one picture, by the words of the graph.
MAX_PIXELS = 25_000_000
#: Pictures of a request, the pixels that each stands for (None: not compared), and the
#: end: "right", "refused", "either", where an answer must be the right one, or "any".
Request = tuple[list[bytes], list[np.ndarray | None], str]


def _pixels(rng: random.Random, *channels: int) -> np.ndarray:
    values = np.random.default_rng(rng.randrange(2**32))
    shape = (rng.choice((1, 9, SIDE, 80)), rng.choice((1, SIDE, SIDE, 70)), *channels)
    # Of one tint each, since all noise looks alike to a network.
    return (values.integers(0, 256, shape) * values.random()).astype(np.uint8)


def _encode(
    pixels: np.ndarray, kind: str, mode: str | None = None, **options: Any
) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels, mode).save(stream, kind, **options)
    return stream.getvalue()


def _decoded(data: bytes) -> np.ndarray:
    """By TensorFlow, as ``decode`` does, but of its own size."""
    from gastric_keras.data.decode import decode_rgb

    return decode_rgb(data).numpy()


def _plain(rng: random.Random) -> tuple[bytes, np.ndarray]:
    pixels = _pixels(rng, 3)
    if rng.random() < 0.5:
        return _encode(pixels, "PNG"), pixels
    data = _encode(pixels, "JPEG", progressive=rng.random() < 0.5, quality=90)
    return data, _decoded(data)


def _among(rng: random.Random, bad: bytes) -> list[bytes]:
    """Alone or among sound ones."""
    pictures = [_plain(rng)[0] for _ in range(rng.choice((0, 0, 1, 3)))]
    pictures.insert(rng.randint(0, len(pictures)), bad)
    return pictures


def _spoilt(rng: random.Random, bad: bytes, must: str = "refused") -> Request:
    pictures = _among(rng, bad)
    return pictures, [None] * len(pictures), must


def _sound(rng: random.Random) -> Request:
    found = [_plain(rng) for _ in range(rng.randint(1, 5))]
    return [data for data, _ in found], [pixels for _, pixels in found], "right"


def _other_modes(rng: random.Random) -> Request:
    rgb = _pixels(rng, 3)
    gray = rgb[..., 0]
    image = Image.fromarray(rgb).quantize(16)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    kinds: dict[str, tuple[bytes, np.ndarray | None]] = {
        "gray": (_encode(gray, "PNG"), np.repeat(gray[..., None], 3, 2)),
        "alpha": (_encode(np.dstack([rgb, gray]), "PNG"), _over_white(rgb, gray)),
        "palette": (stream.getvalue(), np.asarray(image.convert("RGB"))),
        "16 bits": (
            _encode(gray.astype(np.uint16) * 257, "PNG"),
            np.repeat(gray[..., None], 3, 2),
        ),
        "bilevel": (
            _encode(gray > 99, "PNG"),
            np.repeat((gray > 99)[..., None] * np.uint8(255), 3, 2),
        ),
        "gray JPEG": (_encode(gray, "JPEG"), None),
        "interlaced": (_interlaced(rgb), rgb),
    }
    data, pixels = kinds[rng.choice(sorted(kinds))]
    return [data], [_decoded(data) if pixels is None else pixels], "right"


def _over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    if not alpha.any():
        return rgb
    share = alpha[..., None] / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)


def _print_colors(rng: random.Random) -> Request:
    return _spoilt(rng, _encode(_pixels(rng, 4), "JPEG", "CMYK"))


def _chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def _png(width: int, height: int, rows: bytes, *, interlaced: int = 0) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _interlaced(rgb: np.ndarray) -> bytes:
    """By Adam7, which Pillow does not write."""
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
    starts += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, right in starts:
        part = rgb[top::down, left::right]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return _png(rgb.shape[1], rgb.shape[0], rows, interlaced=1)


def _cut(rng: random.Random) -> Request:
    data = _plain(rng)[0]
    # Of a JPEG the end mark alone may go, and TensorFlow's decoder forgives it.
    return _spoilt(rng, cut(rng, data), "any" if data[0] == 0xFF else "refused")


def _flipped(rng: random.Random) -> Request:
    data, pixels = _plain(rng)
    if data[0] == 0xFF:
        return _spoilt(rng, flip(rng, data), "any")
    # PNG has checksums: damage must be seen, or have changed nothing.
    return [flip(rng, data)], [pixels], "either"


def _scrambled(rng: random.Random) -> Request:
    return _spoilt(rng, scramble(rng, _plain(rng)[0]), "any")


def _tail(rng: random.Random) -> Request:
    data, pixels = _plain(rng)
    return [data + rng.randbytes(rng.randint(1, 500))], [pixels], "right"


def _no_picture(rng: random.Random) -> Request:
    bad = (
        b"",
        b"\0" * 200,
        rng.randbytes(300),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        _plain(rng)[0][:24],
        "bösartig".encode(),
    )
    return _spoilt(rng, rng.choice(bad))


def _other_formats(rng: random.Random) -> Request:
    pixels = _pixels(rng, 3)
    kind = rng.choice(("GIF", "BMP", "TIFF", "WEBP", "PPM", "animated"))
    if kind == "animated":
        frames = [
            Image.fromarray(pixels),
            Image.new("RGB", (pixels.shape[1], pixels.shape[0])),
        ]
        stream = io.BytesIO()
        frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
        return _spoilt(rng, stream.getvalue())
    return _spoilt(rng, _encode(pixels, kind))


def _base64(rng: random.Random) -> Request:
    ways = (base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes)
    text = rng.choice(ways)(_plain(rng)[0])
    uri = rng.random() < 0.3
    return _spoilt(rng, b"data:image/png;base64," + text if uri else text)


def _sizes(rng: random.Random) -> Request:
    """A header that promises what is not there: gigabytes, or nothing."""
    width, height = (
        rng.choice((0, 1, 5_001, 65_535, 2**16, 2**31 - 1, 2**31, 2**32 - 1))
        for _ in range(2)
    )
    if rng.random() < 0.5:
        return _spoilt(rng, _png(width, height, bytes(100)), _size_must(width, height))
    small = bytearray(_encode(np.zeros((9, 9, 3), np.uint8), "JPEG"))
    place = small.index(b"\xff\xc0") + 5
    width, height = min(width, 65_535), min(height, 65_535)
    small[place : place + 4] = struct.pack(">HH", height, width)
    # Rows that are not there are gray to TensorFlow, where the end mark is in place.
    must = "any" if 0 < width * height <= MAX_PIXELS else "refused"
    return _spoilt(rng, bytes(small), must)


def _size_must(width: int, height: int) -> str:
    # 1×1 takes 4 bytes of rows, and there are more of them.
    return "any" if (width, height) == (1, 1) else "refused"


def _bomb(rng: random.Random) -> Request:
    """Few bytes that swell: within the limit by the header, or in text and profile."""
    way = rng.choice(("rows", "zTXt", "iCCP"))
    if way == "rows":
        black = np.zeros((9, 9, 3), np.uint8)
        return [_png(9, 9, bytes(80_000_000))], [black], "either"
    pixels = _pixels(rng, 3)
    plain = _encode(pixels, "PNG")
    swollen = zlib.compress(bytes(rng.choice((10_000_000, 80_000_000))), 9)
    chunk = _chunk(way.encode(), b"Comment\0\0" + swollen)
    place = plain.find(b"IDAT") - 4
    return [plain[:place] + chunk + plain[place:]], [pixels], "either"


def _counts(rng: random.Random) -> Request:
    n = rng.choice((0, 0, 129, 200, 1000))
    return [_plain(rng)[0]] * n, [None] * n, "refused"


def _many(rng: random.Random) -> Request:
    data, pixels = _plain(rng)
    n = rng.choice((64, 128))
    return [data] * n, [pixels] + [None] * (n - 1), "right"


def draw_array(rng: random.Random) -> tuple[np.ndarray, str]:
    n = rng.choice((1, 3))
    sound = np.zeros((n, SIDE, SIDE, 3), np.uint8)
    odd: tuple[tuple[np.ndarray, str], ...] = (
        (sound, "right"),
        (sound + np.uint8(255), "right"),
        (sound.astype(np.float32), "refused"),
        (np.full(sound.shape, np.nan, np.float32), "refused"),
        (sound.astype(np.int64) - 1, "refused"),
        (sound[:0], "refused"),
        (sound[..., :1], "refused"),
        (sound[:, :-1], "refused"),
        (sound[0], "refused"),
        (np.zeros((129, SIDE, SIDE, 3), np.uint8), "refused"),
        (np.array([b"picture"]), "refused"),
    )
    return rng.choice(odd)


FAULTS: dict[str, Callable[[random.Random], Request]] = {
    "none: sound pictures": _sound,
    "modes of color, depths, interlaced": _other_modes,
    "CMYK": _print_colors,
    "cut short": _cut,
    "bits flipped": _flipped,
    "parts removed, doubled or noise": _scrambled,
    "noise behind its end": _tail,
    "no picture": _no_picture,
    "GIF, BMP, TIFF, WebP, PPM": _other_formats,
    "base64 left as text": _base64,
    "sizes of a header that lies": _sizes,
    "bomb of rows or text": _bomb,
    "none, or too many": _counts,
    "as many as are allowed": _many,
}
