"""Colors of a TIFF that its tags name wrongly, or in a way that decoders differ in."""

from __future__ import annotations

from gastric_keras.imaging.deep_samples import parts_of
from gastric_keras.imaging.headers import read_jpeg_header
from gastric_keras.imaging.pillow import UnusableImage
from gastric_keras.imaging.tiff_tags import Directory, with_value, with_values

_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _COLOR_MAP = 258, 259, 262, 277, 320
_RGB, _PALETTE, _YCBCR = 2, 3, 6
_JPEG = 7
#: What a palette of 8 bits is multiplied by to become one of 16.
_TO_16_BITS = 257

#: Note of a TIFF whose tag and whose JPEG data name different colors.
COLORS_OF_JPEG = "read with the colors of its JPEG data, which its TIFF tag contradicts"
#: Note of a TIFF whose palette would be black as the standard reads it.
PALETTE_OF_8_BITS = (
    "a TIFF palette whose values end at 255 where the standard has 65535, read as "
    "libtiff does"
)


def with_true_colors(
    data: bytes, tags: Directory, *, name: str
) -> tuple[bytes, tuple[str, ...]]:
    """The same file with tags by which every decoder sees the colors that are meant.

    Args:
        data: the TIFF.
        tags: of its picture.
        name: for the messages.

    Returns:
        The file, and what was assumed.

    Raises:
        UnusableImage: a palette of more than 8 bits, whose numbers decoders take for
            gray.
    """
    if tags.one(_PHOTOMETRIC, 1) == _PALETTE:
        return _with_palette(data, tags, name)
    return _with_colors_of_jpeg(data, tags, name)


def _with_palette(
    data: bytes, tags: Directory, name: str
) -> tuple[bytes, tuple[str, ...]]:
    bits = max(tags.all(_BITS, (1,)))
    if bits > 8:
        raise UnusableImage(
            "A TIFF with a palette must have at most 8 bits a sample, got "
            f"path={name}, bits={bits}. Convert it to RGB."
        )
    colors = tags.all(_COLOR_MAP)
    if not colors or not 0 < max(colors) <= 255:
        return data, ()
    scaled = [color * _TO_16_BITS for color in colors]
    return with_values(data, tags[_COLOR_MAP], scaled), (PALETTE_OF_8_BITS,)


def _with_colors_of_jpeg(
    data: bytes, tags: Directory, name: str
) -> tuple[bytes, tuple[str, ...]]:
    """The same file, its tag of colors as its JPEG data say where they differ.

    libtiff believes the tag: YCbCr said to be RGB comes out green and pink.
    """
    photometric = tags.one(_PHOTOMETRIC, 1)
    if tags.one(_COMPRESSION, 1) != _JPEG or photometric not in (_RGB, _YCBCR):
        return data, ()
    offsets, counts = parts_of(tags)
    if not offsets or not counts or tags.one(_SAMPLES, 1) != 3:
        return data, ()
    header = read_jpeg_header(data[offsets[0] : offsets[0] + counts[0]], name=name)
    if photometric == _RGB and header.is_ycbcr and not header.is_rgb:
        return with_value(data, tags[_PHOTOMETRIC], _YCBCR), (COLORS_OF_JPEG,)
    if photometric == _YCBCR and header.is_rgb and not header.is_ycbcr:
        return with_value(data, tags[_PHOTOMETRIC], _RGB), (COLORS_OF_JPEG,)
    return data, ()
