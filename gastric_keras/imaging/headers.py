"""What PNG and JPEG say before their pixels, by the rules of the served graph.

Pillow's own reading is not asked: it obeys XMP and hidden profiles too, and the graph
must come to the same picture (:mod:`gastric_keras.serving.pixels`).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gastric_keras.imaging import orientation
from gastric_keras.imaging.pillow import UnusableImage

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_EXIF = b"Exif\0\0"
#: Chunks of a PNG that say what its colors are.
_COLORS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
#: Of sRGB: primaries, transfer, matrix and range by ITU-T H.273; gamma, and white
#: and primaries, times 100,000; and by how much the latter may differ.
_SRGB_CODE = bytes((1, 13, 0, 1))
_SRGB_NUMBERS = {
    b"gAMA": (45455,),
    b"cHRM": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
}
_SLACK = 1000
#: Baseline, extended and progressive, by Huffman or arithmetic codes; not lossless.
_COMMON_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
_FRAMES = (
    *range(0xC0, 0xC4),
    *range(0xC5, 0xC8),
    *range(0xC9, 0xCC),
    *range(0xCD, 0xD0),
)
_START_OF_SCAN, _END, _APP0, _APP1, _APP14 = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE


@dataclass(frozen=True)
class PngHeader:
    """Of a PNG.

    Attributes:
        depth: bits a sample, 1 to 16.
        has_transparent_color: whether one color (or some of the palette) is
            transparent.
        orientation: 1 to 8.
        is_rgb: whether it has three samples a pixel.
        has_other_colors: whether its gamma, primaries or transfer function are not
            those of sRGB.
    """

    depth: int
    has_transparent_color: bool
    orientation: int
    is_rgb: bool
    has_other_colors: bool = False


@dataclass(frozen=True)
class JpegHeader:
    """Of a JPEG.

    Attributes:
        orientation: 1 to 8.
        has_jfif: whether it is JFIF, whose colors are YCbCr.
        adobe_transform: of Adobe's marker: 0 is RGB (or CMYK), 1 YCbCr; None: no
            such marker.
        components: identifiers of the components.
        is_subsampled: whether one has fewer samples than another, which is never so
            in RGB.
    """

    orientation: int
    has_jfif: bool = False
    adobe_transform: int | None = None
    components: bytes = b""
    is_subsampled: bool = False

    @property
    def is_ycbcr(self) -> bool:
        """Whether three components can be nothing but YCbCr."""
        return self.is_subsampled or self.has_jfif or self.adobe_transform == 1

    @property
    def is_rgb(self) -> bool:
        """Whether three components can be nothing but RGB."""
        return self.adobe_transform == 0 or self.components == b"RGB"


def read_png_header(data: bytes, *, name: str) -> PngHeader:
    """Read the chunks of a PNG.

    Args:
        data: the file.
        name: for the message.

    Raises:
        UnusableImage: animated, its orientation where only some programs look, or a
            transparent color of 16 bits.
    """
    depth, color = data[24], data[25]
    kinds: set[bytes] = set()
    found: int | None = None
    colors: dict[bytes, bytes] = {}
    texts = b""
    for kind, start, end in _png_chunks(data):
        if kind == b"eXIf" and kind not in kinds:
            found = orientation.find_in_exif(data[start:end])
        elif kind in _TEXTS:
            texts += data[start:end]
        elif kind in _COLORS:
            colors[kind] = data[start:end]
        kinds.add(kind)
    if b"acTL" in kinds:
        raise UnusableImage(
            f"A PNG must hold one picture, got path={name}, an animation. Save the "
            "picture you want as a PNG of its own."
        )
    check_orientation(texts, found, name=name)
    has_color = b"tRNS" in kinds
    if has_color and depth == 16 and color == 2:
        raise UnusableImage(
            "A PNG of 16 bits in color must have no transparent color, got "
            f"path={name} with a tRNS chunk. Save it with an alpha channel, or without "
            "one."
        )
    return PngHeader(
        depth, has_color, found or 1, color == 2, _are_other_colors(colors)
    )


def _are_other_colors(chunks: Mapping[bytes, bytes]) -> bool:
    """Whether the chunk that counts, by the standard's order, is not sRGB."""
    if b"cICP" in chunks:
        return chunks[b"cICP"] != _SRGB_CODE
    if b"iCCP" in chunks or b"sRGB" in chunks:
        # Of a profile the reader of profiles tells.
        return False
    for kind, wanted in _SRGB_NUMBERS.items():
        data = chunks.get(kind, b"")
        if len(data) != 4 * len(wanted):
            continue
        given = struct.unpack(f">{len(wanted)}I", data)
        if any(abs(a - b) > _SLACK for a, b in zip(given, wanted)):
            return True
    return False


def has_right_checksums(data: bytes) -> bool:
    """Whether a PNG has its end, and every chunk its checksum.

    Pillow overlooks wrong ones behind the pixels, and TensorFlow does not.
    """
    kind = b""
    for kind, start, end in _png_chunks(data):
        found = zlib.crc32(data[start - 4 : end]).to_bytes(4, "big")
        if found != data[end : end + 4]:
            return False
    return kind == b"IEND"


def read_jpeg_header(data: bytes, *, name: str) -> JpegHeader:
    """Read the segments of a JPEG before its first scan.

    Args:
        data: the file.
        name: for the message.

    Raises:
        UnusableImage: of a kind that decoders read differently or not at all.
    """
    found: int | None = None
    has_exif = has_jfif = is_subsampled = False
    adobe: int | None = None
    components, end = b"", 2
    for marker, start, end in jpeg_segments(data):
        segment = data[start:end]
        if marker == _APP0 and segment.startswith(b"JFIF\0"):
            has_jfif = True
        elif marker == _APP1 and segment.startswith(_EXIF) and not has_exif:
            has_exif = True
            found = orientation.find_in_exif(segment[len(_EXIF) :])
        elif marker == _APP14 and segment.startswith(b"Adobe") and len(segment) > 11:
            adobe = segment[11]
        elif marker in _FRAMES and len(segment) > 5:
            _check_frame(marker, segment, name)
            components = segment[6::3][: segment[5]]
            is_subsampled = len(set(segment[7::3][: segment[5]])) > 1
    check_orientation(data[:end], found, name=name)
    return JpegHeader(found or 1, has_jfif, adobe, components, is_subsampled)


def check_orientation(header: bytes, found: int | None, *, name: str) -> None:
    """Refuse an orientation that some programs obey and others overlook.

    Raises:
        UnusableImage: only XMP or a text of ImageMagick has it.
    """
    hidden = re.search(orientation.RAW_PROFILE, header) if found is None else None
    if hidden is None and not orientation.has_xmp_only(header, found):
        return
    where = "a raw profile in its text" if hidden else "XMP only"
    raise UnusableImage(
        f"A picture must state its orientation in EXIF, got path={name}, which has "
        f"{where}; programs differ in what they show. Save it upright: "
        "magick in.png -auto-orient -strip out.png."
    )


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end of what it holds) of each segment before the first scan."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            # Filled up to an even address.
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (_START_OF_SCAN, _END):
            return
        yield marker, place + 4, end
        place = end


def _check_frame(marker: int, segment: bytes, name: str) -> None:
    if marker not in _COMMON_FRAMES or segment[0] != 8:
        raise UnusableImage(
            "A JPEG must be baseline or progressive with 8 bits a sample, got "
            f"path={name}, frame=0x{marker:X}, bits={segment[0]}. Save it as PNG."
        )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end of what it holds) of each whole chunk."""
    start = len(_PNG)
    while (end := start + 12 + int.from_bytes(data[start : start + 4], "big")) <= len(
        data
    ):
        yield data[start + 4 : start + 8], start + 8, end - 4
        if data[start + 4 : start + 8] == b"IEND":
            return
        start = end
