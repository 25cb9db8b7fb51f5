"""Label masks whose values mean something else: read as stored, or refused.

The family: 8, 12 and 16 bits, 1 bit, palettes, gray with alpha, RGB with equal and
with other channels, alpha that hides nothing, the background, labels or all, white as
zero in every depth, masks turned by EXIF, signed and floating-point masks, JPEG (which
changes labels along edges), several pages and reduced copies.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults import pixel_files as files
from tests.faults.kinds import Kind

SIDE = 40
#: Bytes, and the labels that are right; None: it must be refused.
Mask = tuple[bytes, np.ndarray | None]


def _labels(rng: random.Random, most: int = 5) -> np.ndarray:
    values = np.random.default_rng(rng.randrange(2**32))
    coarse = values.integers(0, most + 1, (8, 8))
    coarse[0, :2] = 0, most
    return np.kron(coarse, np.ones((5, 5), int))


def _tiff(
    labels: np.ndarray,
    bits: int,
    rng: random.Random,
    *,
    photometric: int = 1,
    **more: int,
) -> bytes:
    order = rng.choice("<>")
    strip = (
        labels.astype(f"{order}u2").tobytes()
        if bits == 16
        else files.pack_bits(labels[..., None], bits)
    )
    tags = files.tiff_tags(labels.shape, bits=[bits], photometric=photometric, **more)
    return files.write_tiff([(tags, strip)], order=order)


def _depths(rng: random.Random) -> Mask:
    bits = rng.choice((1, 8, 12, 16))
    labels = _labels(rng, min(2**bits - 1, rng.choice((1, 5, 255, 700))))
    if rng.random() < 0.5 and bits != 12:
        data = files.write_png(labels[..., None], bits=bits, color=0)
        return data, labels
    # The largest label that a TIFF states is no depth to scale by.
    more = {"most": int(labels.max())} if bits > 8 and rng.random() < 0.5 else {}
    return _tiff(labels, bits, rng, **more), labels


def _white_is_zero(rng: random.Random) -> Mask:
    bits = rng.choice((1, 2, 4, 8, 12, 16))
    return _tiff(_labels(rng, min(2**bits - 1, 5)), bits, rng, photometric=0), None


def _palette(rng: random.Random) -> Mask:
    labels = _labels(rng)
    picture = Image.fromarray(labels.astype(np.uint8), "L")
    picture = picture.copy()
    picture.putpalette(rng.randbytes(768))
    return files.encode(picture, rng.choice(("PNG", "TIFF", "BMP"))), labels


def _gray_palette(rng: random.Random) -> Mask:
    """Gray that a program turned into a palette, with its grays in some order."""
    labels = _labels(rng)
    grays = list(range(6))
    if rng.random() < 0.7:
        rng.shuffle(grays)
    if rng.random() < 0.3:
        # Shown in black and white: only the positions have a meaning.
        grays = [40 * gray + 7 for gray in grays]
    picture = Image.fromarray(labels.astype(np.uint8), "L").copy()
    picture.putpalette([gray for gray in grays for _ in range(3)])
    used = np.unique(labels).tolist()
    is_clear = all(grays[place] in (place, *range(7, 256)) for place in used)
    return files.encode(picture, "PNG"), labels if is_clear else None


def _colors(rng: random.Random) -> Mask:
    labels = _labels(rng).astype(np.uint8)
    is_gray = rng.random() < 0.5
    rgb = np.dstack([labels, labels, labels if is_gray else 255 - labels])
    return files.encode(rgb, rng.choice(("PNG", "TIFF"))), labels if is_gray else None


def _alpha(rng: random.Random) -> Mask:
    labels = _labels(rng).astype(np.uint8)
    way = rng.choice(("nothing", "all", "background", "labels"))
    alpha = {
        "nothing": np.full_like(labels, 255),
        "all": np.zeros_like(labels),
        "background": np.where(labels > 0, 255, 0).astype(np.uint8),
        "labels": np.where(labels == labels.max(), 0, 255).astype(np.uint8),
    }[way]
    if rng.random() < 0.5:
        picture = Image.fromarray(np.dstack([labels, alpha]), "LA")
    else:
        picture = Image.fromarray(np.dstack([labels] * 3 + [alpha]))
    return files.encode(picture, "PNG"), None if way == "labels" else labels


def _clear_value(rng: random.Random) -> Mask:
    labels = _labels(rng)
    clear = rng.choice((0, int(labels.max())))
    chunk = files.png_chunk(b"tRNS", clear.to_bytes(2, "big"))
    data = files.write_png(labels[..., None], bits=8, color=0, before=chunk)
    return data, None if clear else labels


def _turned(rng: random.Random) -> Mask:
    labels, orientation = _labels(rng), rng.randint(1, 8)
    truth = labels if orientation == 1 else None
    if rng.random() < 0.5:
        return _tiff(labels, 8, rng, orientation=orientation), truth
    chunk = files.png_chunk(b"eXIf", files.write_exif(orientation))
    return files.write_png(labels[..., None], bits=8, color=0, before=chunk), truth


def _lossy(rng: random.Random) -> Mask:
    picture = Image.fromarray((_labels(rng) * 50).astype(np.uint8))
    return files.encode(picture, "JPEG", quality=rng.choice((75, 100))), None


def _other_numbers(rng: random.Random) -> Mask:
    kind = rng.choice(("<f4", "<i2", "<i1"))
    labels = _labels(rng).astype(kind)
    number = 3 if "f" in kind else 2
    tags = files.tiff_tags(
        labels.shape, bits=[8 * labels.itemsize], photometric=1, format=number
    )
    return files.write_tiff([(tags, labels.tobytes())]), None


def _several(rng: random.Random) -> Mask:
    labels = _labels(rng).astype(np.uint8)
    tags = files.tiff_tags(labels.shape, bits=[8], photometric=1)
    page = (tags, labels.tobytes())
    if rng.random() < 0.5:
        return files.write_tiff([page, page]), None
    small = np.ascontiguousarray(labels[::2, ::2])
    half = files.tiff_tags(small.shape, bits=[8], photometric=1, subfile=1)
    return files.write_tiff([(half, small.tobytes()), page]), labels


FAMILIES: dict[str, Callable[[random.Random], Mask]] = {
    "1 to 16 bits": _depths,
    "white is zero": _white_is_zero,
    "palette": _palette,
    "palette of grays": _gray_palette,
    "RGB": _colors,
    "alpha": _alpha,
    "transparent value": _clear_value,
    "turned by EXIF": _turned,
    "JPEG": _lossy,
    "signed, floating point": _other_numbers,
    "several pages": _several,
}


def write(rng: random.Random, folder: Path) -> str:
    """Draw one mask and write it."""
    name = rng.choice(sorted(FAMILIES))
    data, labels = FAMILIES[name](rng)
    (folder / "mask.png").write_bytes(data)
    if labels is not None:
        np.save(folder / "truth.npy", labels)
    return name


def read(folder: Path) -> None:
    """Read it as data_prep does."""
    from gastric_keras.imaging.labels import read_labels
    from gastric_keras.support.errors import InputError

    is_right = (folder / "truth.npy").is_file()
    try:
        found = read_labels(folder / "mask.png", known=range(6))
    except InputError as error:
        assert not is_right, f"refused: {error}"
        raise
    assert is_right, "it was read"
    np.testing.assert_array_equal(found, np.load(folder / "truth.npy"))


KIND = Kind("masks", write, read)
