"""Files of pictures written byte by byte, since no library writes all of them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

#: struct's letter of a type of TIFF fields: BYTE, SHORT, LONG.
_LETTERS = {1: "B", 3: "H", 4: "I"}
_ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
_ADAM7 += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def write_tiff(
    pages: Sequence[tuple[Mapping[int, Sequence[int]], bytes]],
    *,
    order: str = "<",
    is_big: bool = False,
) -> bytes:
    """A TIFF of pages of one strip each.

    Args:
        pages: (tag -> values, the strip); its offset and length are filled in.
        order: "<" or ">".
        is_big: BigTIFF.
    """
    mark = {"<": b"II", ">": b"MM"}[order]
    if is_big:
        head = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16)
    else:
        head = mark + struct.pack(f"{order}HI", 42, 8)
    count, number, inline = ("Q", "Q", 8) if is_big else ("H", "I", 4)
    out = head
    for position, (tags, strip) in enumerate(pages):
        entries = {**tags, 273: [0], 279: [len(strip)]}
        start = len(out)
        size = struct.calcsize(f"{order}{count}") + len(entries) * (12 + 8 * is_big)
        behind = start + size + inline
        extra, table = b"", b""
        long = [
            len(values) * (2 if tag not in (273, 279) else 4)
            for tag, values in entries.items()
        ]
        strip_at = behind + sum(length for length in long if length > inline)
        for tag, values in sorted(entries.items()):
            kind = 4 if tag in (273, 279) else 3
            given = [strip_at] if tag == 273 else list(values)
            packed = struct.pack(f"{order}{len(given)}{_LETTERS[kind]}", *given)
            table += struct.pack(f"{order}HH{number}", tag, kind, len(given))
            if len(packed) > inline:
                table += struct.pack(f"{order}{number}", behind + len(extra))
                extra += packed
            else:
                table += packed.ljust(inline, b"\0")
        assert behind + len(extra) == strip_at
        following = strip_at + len(strip)
        is_last = position == len(pages) - 1
        out += struct.pack(f"{order}{count}", len(entries)) + table
        out += struct.pack(f"{order}{number}", 0 if is_last else following)
        out += extra + strip
    return out


def tiff_tags(
    shape: tuple[int, int], *, bits: Sequence[int], photometric: int, **more: int
) -> dict[int, list[int]]:
    """The tags of a page without compression."""
    names = {"compression": 259, "subfile": 254, "planar": 284, "extra": 338}
    names |= {"format": 339, "most": 281, "orientation": 274}
    tags = {256: [shape[1]], 257: [shape[0]], 258: list(bits), 259: [1]}
    tags |= {262: [photometric], 277: [len(bits)], 278: [shape[0]]}
    for name, value in more.items():
        n = len(bits) if name in ("format", "most") else 1
        tags[names[name]] = [value] * n
    return tags


def pack_bits(values: np.ndarray, bits: int) -> bytes:
    """(H, W, n) samples of some bits each, each row from a whole byte on."""
    rows = values.reshape(len(values), -1, 1)
    weights = np.arange(bits - 1, -1, -1)
    single = ((rows >> weights) & 1).astype(np.uint8).reshape(len(values), -1)
    return np.packbits(single, axis=1).tobytes()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """A chunk with its checksum."""
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def write_png(
    samples: np.ndarray,
    *,
    bits: int,
    color: int,
    before: bytes = b"",
    behind: bytes = b"",
    is_interlaced: bool = False,
) -> bytes:
    """A PNG of any depth and kind of color.

    Args:
        samples: (H, W, n) whole numbers.
        bits: of a sample.
        color: 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha.
        before: chunks before the pixels.
        behind: chunks behind them.
        is_interlaced: by Adam7.
    """

    def rows(part: np.ndarray) -> bytes:
        if bits == 16:
            lines = [line.astype(">u2").tobytes() for line in part]
        else:
            lines = [pack_bits(line[None], bits) for line in part]
        return b"".join(b"\0" + line for line in lines)

    passes = _ADAM7 if is_interlaced else [(0, 0, 1, 1)]
    parts = [samples[top::down, left::right] for top, left, down, right in passes]
    pixels = b"".join(rows(part) for part in parts if part.size)
    height, width = samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(is_interlaced))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + before
        + png_chunk(b"IDAT", zlib.compress(pixels))
        + behind
        + png_chunk(b"IEND", b"")
    )


def write_exif(
    orientation: int, *, order: str = "<", kind: int = 3, gap: int = 0, inner: int = 1
) -> bytes:
    """EXIF of an orientation among other fields, and of another of its thumbnail.

    Args:
        orientation: of the picture.
        order: "<" or ">".
        kind: of the field: 3 SHORT, 4 LONG.
        gap: bytes before the first directory.
        inner: orientation of the thumbnail.
    """
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8 + gap)

    def entry(tag: int, kind: int, value: int) -> bytes:
        packed = struct.pack(f"{order}{_LETTERS[kind]}", value).ljust(4, b"\0")
        return struct.pack(f"{order}HHI", tag, kind, 1) + packed

    fields = [(0x0100, 4, 63), (0x0112, kind, orientation), (0x0128, 3, 2)]
    first = struct.pack(f"{order}H", len(fields))
    first += b"".join(entry(*field) for field in fields)
    place = 8 + gap + len(first) + 4
    second = struct.pack(f"{order}H", 1) + entry(0x0112, 3, inner) + b"\0\0\0\0"
    return head + bytes(gap) + first + struct.pack(f"{order}I", place) + second


def jpeg_segment(marker: int, data: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with more segments behind its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def encode(pixels: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    """By Pillow."""
    stream = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(stream, kind, **options)
    return stream.getvalue()


def write_bmp_v4(rgba: np.ndarray) -> bytes:
    """A BMP of 32 bits with masks of color and alpha, top row first."""
    height, width = rgba.shape[:2]
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    size = 4 * height * width
    start = 14 + 108
    head = b"BM" + struct.pack("<IHHI", start + size, 0, 0, start)
    head += struct.pack("<IiiHHIIiiII", 108, width, -height, 1, 32, 3, size, 0, 0, 0, 0)
    head += struct.pack("<4I", *masks) + b"BGRs" + bytes(48)
    return head + np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]).tobytes()


def write_bmp_565(rgb: np.ndarray) -> tuple[bytes, np.ndarray]:
    """A BMP of 16 bits, and what its pixels are in 8."""
    levels = rgb >> np.array([3, 2, 3], np.uint8)
    packed = (levels.astype(np.uint16) << np.array([11, 5, 0], np.uint16)).sum(axis=2)
    height, width = rgb.shape[:2]
    rows = packed.astype("<u2")
    if width % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    start = 14 + 40 + 12
    head = b"BM" + struct.pack("<IHHI", start + rows.nbytes, 0, 0, start)
    head += struct.pack(
        "<IiiHHIIiiII", 40, width, -height, 1, 16, 3, rows.nbytes, 0, 0, 0, 0
    )
    head += struct.pack("<3I", 0xF800, 0x7E0, 0x1F)
    most = np.array([31, 63, 31])
    return head + rows.tobytes(), np.rint(levels * (255 / most)).astype(np.uint8)
