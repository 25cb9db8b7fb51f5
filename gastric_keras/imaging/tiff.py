"""TIFF as 8-bit samples, by what its tags say of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.deep_samples import (
    DEPTH_IGNORED,
    DEPTH_STATED,
    check_whole,
    is_nearly_black,
    read_samples,
    to_8_bits,
)
from gastric_keras.imaging.odd_tiff import decode_odd
from gastric_keras.imaging.pillow import UnusableImage, load, open_bytes
from gastric_keras.imaging.stored import NEARLY_BLACK, RANGE_IGNORED, Stored, of_profile
from gastric_keras.imaging.tiff_colors import with_true_colors
from gastric_keras.imaging.tiff_tags import (
    Directory,
    byte_order,
    read_directories,
    with_one_page,
    with_value,
)
from gastric_keras.support.versions import install_command

if TYPE_CHECKING:
    from PIL import Image

_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 258, 259, 262
_DESCRIPTION, _ORIENTATION, _SAMPLES, _MOST = 270, 274, 277, 281
_PLANAR, _EXTRA, _FORMAT, _PROFILE = 284, 338, 339, 34675
_WHITE_IS_ZERO, _RGB, _YCBCR = 0, 2, 6
#: With gray and palette: what is read.
_PHOTOMETRICS = (0, 1, 2, 3, 6)
_COLORS = {5: "CMYK", 8: "CIELab", 32844: "LogL", 32845: "LogLuv"}
_BIG_ENDIAN_BIG = b"MM\0+"
#: Whole numbers without sign; 4 is not said.
_UNSIGNED = (1, 4)
_KINDS = {2: "with sign", 3: "floating point", 5: "complex", 6: "complex"}


def is_tiff(data: bytes) -> bool:
    """Whether bytes begin as TIFF or BigTIFF does."""
    order = byte_order(data)
    return bool(order) and data[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+")


def decode_tiff(data: bytes, *, name: str, max_pixels: int) -> Stored:
    """Decode the one picture of full size in a TIFF.

    Args:
        data: the file.
        name: for the messages.
        max_pixels: most pixels that are decoded.

    Raises:
        UnusableImage: several pictures, colors or numbers whose meaning is not
            certain, or damage.
    """
    data, tags = main_page(data, name=name)
    check_meaning(tags, name=name)
    orientation = tags.one(_ORIENTATION, 1)
    if orientation in range(2, 9):
        # Or Pillow turns some of them by itself.
        data = with_value(data, tags[_ORIENTATION], 1)
    notes = of_profile(tags.texts.get(_PROFILE, b""))
    data, said = with_true_colors(data, tags, name=name)
    notes += said
    notes += _read_imagej(tags, name)
    if _is_odd(tags):
        open_bytes(data, name, max_pixels)
        check_whole(data, tags, name=name)
        values = decode_odd(data, name)
    elif _is_deep(tags):
        stored = _decode_deep(data, tags, name=name, max_pixels=max_pixels)
        notes += stored.notes
        values = stored.values
    else:
        values = _samples_of(load(open_bytes(data, name, max_pixels), name), name)
    is_scaled = not _is_deep(tags) and _bits(tags) == 16
    # Of planes the largest of 12 bits is rounded up.
    if is_scaled and is_nearly_black(values[..., :3] * (15 / 16), 8):
        notes += (NEARLY_BLACK,)
    return Stored(values, orientation if orientation in range(1, 9) else 1, notes)


def main_page(data: bytes, *, name: str) -> tuple[bytes, Directory]:
    """Which picture of a TIFF is meant: the only one that is not a smaller copy.

    Args:
        data: the file.
        name: for the message.

    Returns:
        The file with that picture alone, and its fields.

    Raises:
        UnusableImage: several.
    """
    if data[:4] == _BIG_ENDIAN_BIG:
        raise UnusableImage(
            f"A BigTIFF must be little-endian, got path={name}, a big-endian one, "
            "which Pillow cannot read. Save it as an ordinary TIFF or as PNG."
        )
    directories = read_directories(data)
    # Bits of NewSubfileType: 1 a reduced copy, 4 a mask of transparency.
    full = [tags for tags in directories if not tags.one(_SUBFILE, 0) & 5]
    if len(full) > 1:
        raise _several(name, len(full))
    if not directories:
        return data, Directory()
    page = full[0] if full else directories[0]
    return (with_one_page(data, page) if len(directories) > 1 else data), page


def is_white_zero(tags: Directory) -> bool:
    """Whether the largest value of a gray TIFF is black."""
    return tags.one(_PHOTOMETRIC, 1) == _WHITE_IS_ZERO


def _several(name: str, n: int) -> UnusableImage:
    return UnusableImage(
        f"A picture must have one page, got path={name}, pages={n}. Save the page you "
        "want as a file of its own; to read it as a slide, install the slides extra: "
        f"{install_command('slides')}."
    )


def check_meaning(tags: Directory, *, name: str) -> None:
    """Refuse colors and numbers whose meaning is not certain.

    Raises:
        UnusableImage: they are.
    """
    photometric, samples = tags.one(_PHOTOMETRIC, 1), tags.one(_SAMPLES, 1)
    if photometric not in _PHOTOMETRICS or (samples >= 3) != (
        photometric in (_RGB, _YCBCR)
    ):
        raise UnusableImage(
            f"A TIFF must be RGB, YCbCr, gray or a palette, got path={name}, "
            f"photometric={photometric} ({_COLORS.get(photometric, 'not known')}), "
            f"samples={samples}. "
            "Convert it to RGB, by its color profile where it has one."
        )
    kind, bits = tags.one(_FORMAT, 1), _bits(tags)
    if kind not in _UNSIGNED or bits > 16:
        raise UnusableImage(
            "A TIFF must hold whole numbers of up to 16 bits without sign, since the "
            f"white of others is not known, got path={name}, bits={bits}, "
            f"sample_format={kind} ({_KINDS.get(kind, 'without sign')}). Scale it to 8 "
            "bits: in ImageJ, set the display range, then Image > Type > 8-bit or RGB "
            "Color."
        )


def _read_imagej(tags: Directory, name: str) -> tuple[str, ...]:
    """What ImageJ says of a picture, as a note; none where another program wrote it.

    Raises:
        UnusableImage: a stack.
    """
    text = tags.texts.get(_DESCRIPTION, b"")
    if not text.startswith(b"ImageJ="):
        return ()
    found = re.search(rb"^images=(\d{1,9})", text, re.MULTILINE)
    if found and int(found[1]) > 1:
        # Of a large one it writes one directory and all pixels behind it.
        raise _several(name, int(found[1]))
    most = re.search(rb"^max=(\d{1,9})", text, re.MULTILINE)
    is_cut = most and _bits(tags) > 8 and int(most[1]) < 0.9 * 2 ** _bits(tags)
    return (RANGE_IGNORED,) if is_cut else ()


def _bits(tags: Directory) -> int:
    return max(tags.all(_BITS, (1,)))


def _is_odd(tags: Directory) -> bool:
    """Whether a TIFF is of one of the two forms that Pillow gets wrong.

    16 bits in planes: Pillow takes the bytes of one plane for 8-bit pixels. YCbCr
    without compression: Pillow takes its blocks of pixels as cut short.
    """
    kind = tags.one(_PHOTOMETRIC, 1)
    if kind == _YCBCR:
        return tags.one(_COMPRESSION, 1) == 1
    is_planar = tags.one(_PLANAR, 1) == 2 and tags.all(_BITS) == (16,) * 3
    return kind == _RGB and is_planar and _stated_depth(tags, 16) == 16


def _is_deep(tags: Directory) -> bool:
    """Whether Pillow does not see, or does not keep, all bits of the samples."""
    bits = _bits(tags)
    is_color = tags.one(_SAMPLES, 1) >= 3
    is_plain = bits == 16 and is_color and (tags.one(_PLANAR, 1) == 1 or _is_odd(tags))
    return bits > 8 and not (is_plain and _stated_depth(tags, bits) == bits)


def _stated_depth(tags: Directory, bits: int) -> int:
    # The largest value of a picture may stand there, in place of what its camera can.
    most = max(tags.all(_MOST, (0,)))
    return min(most.bit_length(), bits) or bits


def _decode_deep(data: bytes, tags: Directory, *, name: str, max_pixels: int) -> Stored:
    bits = _bits(tags)
    depth = _stated_depth(tags, bits)
    samples = read_samples(data, tags, name=name, max_pixels=max_pixels)
    notes: tuple[str, ...] = ()
    if depth < bits:
        is_true = int(samples.max(initial=0)) < 2**depth
        notes += (DEPTH_STATED if is_true else DEPTH_IGNORED,)
        depth = depth if is_true else bits
    colors = 1 if samples.shape[2] < 3 else 3
    if depth == 16 and is_nearly_black(samples[..., :colors], 16):
        notes += (NEARLY_BLACK,)
    values = to_8_bits(samples, depth)
    if is_white_zero(tags):
        values[..., 0] = 255 - values[..., 0]
    return Stored(_with_known_alpha(values, tags, name), 1, notes)


def _with_known_alpha(
    values: npt.NDArray[np.uint8], tags: Directory, name: str
) -> npt.NDArray[np.uint8]:
    """(H, W, n) as gray or RGB, with the alpha that the tags name."""
    colors = 1 if values.shape[2] < 3 else 3
    extra = tags.one(_EXTRA, 2 if values.shape[2] > colors else 0)
    rgb = np.repeat(values[..., :1], 3, axis=2) if colors == 1 else values[..., :3]
    if values.shape[2] == colors or extra == 0:
        return np.ascontiguousarray(rgb)
    alpha = values[..., colors : colors + 1]
    if extra == 1 and ((alpha > 0) & (alpha < 255)).any():
        raise UnusableImage(
            "A TIFF of more than 8 bits must have an alpha that is not multiplied into "
            f"its colors, got path={name}, extra_samples=1. Save it without alpha."
        )
    return np.concatenate([rgb, alpha], axis=2)


def _samples_of(picture: Image.Image, name: str) -> npt.NDArray[np.uint8]:
    if picture.mode in ("LA", "PA", "RGBA"):
        return np.asarray(picture.convert("RGBA"))
    if picture.mode in ("1", "L", "P", "RGB"):
        return np.array(picture.convert("RGB"))
    raise UnusableImage(
        f"A TIFF must be RGB or gray, got path={name}, mode={picture.mode}. Convert it "
        "to RGB."
    )


def read_tiff_labels(
    data: bytes, *, name: str, max_pixels: int
) -> npt.NDArray[Any] | None:
    """Values of a TIFF of more than 8 bits as stored; None where it has fewer.

    Raises:
        UnusableImage: several pages, or numbers that are not labels.
    """
    data, tags = main_page(data, name=name)
    check_meaning(tags, name=name)
    if _bits(tags) <= 8:
        return None
    return read_samples(data, tags, name=name, max_pixels=max_pixels)
