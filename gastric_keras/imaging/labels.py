"""Label masks: pictures whose values are labels."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.headers import read_png_header
from gastric_keras.imaging.images import read_bytes
from gastric_keras.imaging.pillow import MAX_PIXELS, UnusableImage, load, open_bytes
from gastric_keras.imaging.tiff import (
    is_tiff,
    is_white_zero,
    main_page,
    read_tiff_labels,
)

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112
_WAY_OUT = "Save the labels as a gray PNG of 8 or 16 bits."


def read_labels(
    path: Path | str,
    *,
    max_pixels: int = MAX_PIXELS,
    known: Collection[int] = (),
) -> npt.NDArray[np.int64]:
    """Read a label mask: a picture of one channel whose values are labels.

    Args:
        path: a PNG, BMP or TIFF file, gray up to 16 bits or palette, or RGB with
            three equal channels.
        max_pixels: most pixels that are decoded.
        known: values that have a meaning. A palette of grays whose positions and
            whose grays are among them, and differ, has two meanings.

    Returns:
        (H, W) int64, the values as stored (of a palette: the index).

    Raises:
        UnusableImage: unreadable, lossy, not upright, its zero white, labels hidden
            by transparency, colors that are no labels, or a palette of two meanings.
    """
    data, name = read_bytes(path), str(path)
    _check_meaning(data, name)
    if is_tiff(data):
        deep = read_tiff_labels(data, name=name, max_pixels=max_pixels)
        if deep is not None:
            return _one_channel(deep, name, f"{deep.shape[2]} samples")
        data = main_page(data, name=name)[0]
    picture = open_bytes(data, name, max_pixels)
    if picture.format in ("JPEG", "MPO"):
        raise UnusableImage(
            "A label mask must be stored without loss, since JPEG changes the labels "
            f"along every edge, got path={name}, format=JPEG. Export it again as PNG."
        )
    load(picture, name)
    values = np.asarray(picture)
    if picture.mode == "P":
        _check_palette(picture, values, known, name)
    clear = picture.info.get("transparency")
    if isinstance(clear, int) and values.ndim == 2 and clear:
        _require_visible(values != clear, values, name)
    return _one_channel(values, name, f"mode={picture.mode}")


def _check_meaning(data: bytes, name: str) -> None:
    orientation, is_inverted = 1, False
    if is_tiff(data):
        tags = main_page(data, name=name)[1]
        orientation, is_inverted = tags.one(_ORIENTATION, 1), is_white_zero(tags)
    elif data.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"):
        orientation = read_png_header(data, name=name).orientation
    if orientation != 1:
        raise UnusableImage(
            "A label mask must be stored upright, since programs differ in whether "
            f"they turn it, got path={name}, orientation={orientation}. {_WAY_OUT}"
        )
    if is_inverted:
        raise UnusableImage(
            "A label mask must store black as 0, since programs differ in whether they "
            f"invert its values, got path={name}, a TIFF whose zero is white (ImageJ: "
            "an inverting LUT). Set another LUT and save the labels as PNG."
        )


def _check_palette(
    picture: Image.Image,
    values: npt.NDArray[np.uint8],
    known: Collection[int],
    name: str,
) -> None:
    # Programs that shrink PNG turn gray into a palette, in the order of how often a
    # value occurs: its grays are then the labels, not its positions.
    used = np.unique(values)
    colors = np.zeros((256, 3), np.uint8)
    given = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    colors[: len(given)] = given
    grays = colors[used]
    is_gray = (grays == grays[:, :1]).all()
    if not is_gray or (grays[:, 0] == used).all() or not {*grays[:, 0]} <= {*known}:
        return
    raise UnusableImage(
        "A label mask with a palette of grays must have each gray at its own position, "
        "since the labels may be either, got "
        f"path={name}, positions {used.tolist()[:8]} of grays "
        f"{grays[:8, 0].tolist()}. {_WAY_OUT}"
    )


def _one_channel(
    values: npt.NDArray[Any], name: str, what: str
) -> npt.NDArray[np.int64]:
    if values.ndim == 3 and values.shape[2] in (2, 4):
        alpha, values = values[..., -1], values[..., :-1]
        # An alpha that hides all is not meant, as in pictures.
        if alpha.any():
            _require_visible(alpha == alpha.max(), values.max(axis=2), name)
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise UnusableImage(
            f"A label mask must have one channel, got path={name}, {what}. {_WAY_OUT}"
        )
    return values.astype(np.int64)


def _require_visible(
    is_visible: npt.NDArray[np.bool_], values: npt.NDArray[Any], name: str
) -> None:
    hidden = values[~is_visible]
    if hidden.any():
        raise UnusableImage(
            "A label mask must not hide labels by transparency, got "
            f"path={name}, {np.count_nonzero(hidden)} transparent pixels that are not "
            f"0. {_WAY_OUT}"
        )
