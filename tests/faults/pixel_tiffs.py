"""Families of TIFF: depths, white as zero, planes, colors of JPEG, other numbers."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image

from gastric_keras.imaging import stored
from gastric_keras.imaging.deep_samples import DEPTH_STATED
from gastric_keras.imaging.tiff_colors import COLORS_OF_JPEG, PALETTE_OF_8_BITS
from tests.faults import pixel_files as files
from tests.faults.pixel_truth import ORDERS, SIDE, Member, gray_of, laid, noise, seen


def one_page(
    rng: random.Random, tags: dict[int, list[int]], strip: bytes, *, order: str = ""
) -> bytes:
    order = order or rng.choice(ORDERS)
    # Pillow does not know big-endian BigTIFF; see "several pictures".
    is_big = order == "<" and rng.random() < 0.4
    return files.write_tiff([(tags, strip)], order=order, is_big=is_big)


def white_is_zero(rng: random.Random) -> Member:
    bits = rng.choice((1, 2, 4, 8, 12, 16))
    samples = noise(rng, most=2**bits - 1)
    order = rng.choice(ORDERS)
    inverted = (2**bits - 1 - samples.astype(int))[..., None]
    strip = (
        inverted.astype(f"{order}u2").tobytes()
        if bits == 16
        else files.pack_bits(inverted, bits)
    )
    tags = files.tiff_tags((SIDE, SIDE), bits=[bits], photometric=0)
    truth = samples >> 8 if bits == 16 else np.rint(samples * (255 / (2**bits - 1)))
    return one_page(rng, tags, strip, order=order), gray_of(truth), ""


def packed(rng: random.Random) -> Member:
    bits, n = rng.randint(9, 15), rng.choice((1, 3))
    samples = noise(rng, n, most=2**bits - 1)
    tags = files.tiff_tags(
        (SIDE, SIDE), bits=[bits] * n, photometric=1 if n == 1 else 2
    )
    truth = np.rint(samples * (255 / (2**bits - 1))).astype(np.uint8)
    data = one_page(rng, tags, files.pack_bits(samples, bits))
    return data, gray_of(truth) if n == 1 else truth, ""


def depth_in_16(rng: random.Random) -> Member:
    """A camera of 9 to 15 bits in 16: the depth stated, or not."""
    bits, n = rng.randint(9, 15), rng.choice((1, 3))
    is_stated, order = rng.random() < 0.6, rng.choice(ORDERS)
    bits = bits if is_stated else min(bits, 12)
    samples = noise(rng, n, most=2**bits - 1)
    tags = files.tiff_tags((SIDE, SIDE), bits=[16] * n, photometric=1 if n == 1 else 2)
    if is_stated:
        # Or the largest of the picture, which some write there.
        most = rng.choice((2**bits - 1, int(samples.max())))
        tags[281] = [most] * n
        depth = most.bit_length()
        truth = np.rint(samples * (255 / (2**depth - 1)))
    else:
        truth = samples >> 8
    data = one_page(rng, tags, samples.astype(f"{order}u2").tobytes(), order=order)
    truth = gray_of(truth) if n == 1 else truth.astype(np.uint8)
    return data, truth, DEPTH_STATED if is_stated else stored.NEARLY_BLACK


def deep(rng: random.Random) -> Member:
    """All of 16 bits: chunks and planes, with and without alpha."""
    n, is_planar = rng.choice((1, 2, 3, 4)), rng.random() < 0.4
    order = rng.choice(ORDERS)
    samples = noise(rng, n, most=65535)
    # A picture that is all but dark would be told.
    samples[0, :, : min(n, 3)] |= 0x8000
    tags = files.tiff_tags((SIDE, SIDE), bits=[16] * n, photometric=1 if n < 3 else 2)
    if n in (2, 4):
        tags[338] = [2]
    planes = samples
    if is_planar and n == 3:
        tags[284] = [2]
        planes = np.moveaxis(samples, -1, 0)
        plane = planes[0].nbytes
        # A strip for each plane: one behind the other.
        data = _planar(tags, planes.astype(f"{order}u2").tobytes(), plane, order)
    else:
        data = one_page(rng, tags, planes.astype(f"{order}u2").tobytes(), order=order)
    high = (samples >> 8).astype(np.uint8)
    truth = high[..., :3] if n >= 3 else gray_of(high[..., 0])
    if n in (2, 4):
        return data, laid(truth, high[..., -1]), stored.OVER_WHITE
    return data, truth, ""


def _planar(tags: dict[int, list[int]], planes: bytes, size: int, order: str) -> bytes:
    import tifffile

    stream = io.BytesIO()
    values = np.frombuffer(planes, f"{order}u2").reshape(3, SIDE, SIDE)
    tifffile.imwrite(
        stream,
        values.astype(np.uint16),
        photometric="rgb",
        planarconfig="separate",
        byteorder=order,
        compression=None,
    )
    return stream.getvalue()


def jpeg_in_tiff(rng: random.Random) -> Member:
    """The colors that the tag names and those of the JPEG data, equal or not."""
    rgb = noise(rng, 3)
    is_rgb = rng.random() < 0.4
    options = {"keep_rgb": True} if is_rgb else {"subsampling": rng.choice((0, 2))}
    stream = files.encode(rgb, "JPEG", quality=95, **options)
    tag = rng.choice((2, 6))
    tags = files.tiff_tags((SIDE, SIDE), bits=[8] * 3, photometric=tag, compression=7)
    differs = (tag == 2) != is_rgb
    return (
        one_page(rng, tags, stream),
        seen(stream),
        COLORS_OF_JPEG if differs else "",
    )


def palettes(rng: random.Random) -> Member:
    """A palette of 16-bit values, of 8-bit values, and of more than 256 colors."""
    kind = rng.choice(("16-bit values", "8-bit values", "more colors"))
    bits = 16 if kind == "more colors" else 8
    colors = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (2**bits, 3))
    colors[:, 0] |= 0x80
    index = noise(rng, most=2**bits - 1)
    tags = files.tiff_tags((SIDE, SIDE), bits=[bits], photometric=3)
    factor = 1 if kind == "8-bit values" else 257
    tags[320] = (colors.T * factor).ravel().tolist()
    order = rng.choice(ORDERS)
    strip = index.astype(f"{order}u{bits // 8}").tobytes()
    data = one_page(rng, tags, strip, order=order)
    if kind == "more colors":
        return data, None, ""
    note = PALETTE_OF_8_BITS if kind == "8-bit values" else ""
    return data, colors[index].astype(np.uint8), note


def imagej(rng: random.Random) -> Member:
    """Gray of 8 or 16 bits: the display range, and a stack behind one directory."""
    import tifffile

    bits, is_stack = rng.choice((8, 16)), rng.random() < 0.4
    samples = noise(rng, most=2**bits - 1)
    samples[0] |= 1 << (bits - 1)
    most = rng.choice((2**bits - 1, 2**bits // 3))
    more = {"images": 3, "slices": 3} if is_stack else {"images": 1}
    lines = {"ImageJ": "1.53t", **more, "min": "0.0", "max": f"{most}.0"}
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        samples,
        photometric="minisblack",
        description="\n".join(f"{name}={value}" for name, value in lines.items()),
        metadata=None,
    )
    if is_stack:
        return stream.getvalue() + samples.tobytes() * 2, None, ""
    is_cut = bits == 16 and most < 60000
    truth = samples >> 8 if bits == 16 else samples
    return stream.getvalue(), gray_of(truth), stored.RANGE_IGNORED if is_cut else ""


def ycbcr(rng: random.Random) -> Member:
    """YCbCr without compression, full range."""
    picture = Image.fromarray(noise(rng, 3)).convert("YCbCr")
    tags = files.tiff_tags((SIDE, SIDE), bits=[8] * 3, photometric=6)
    tags[530] = [1, 1]
    data = one_page(rng, tags, np.asarray(picture).tobytes())
    return data, np.asarray(picture.convert("RGB")), ""


def other_numbers(rng: random.Random) -> Member:
    """Floating point of 0 to 1 or 0 to 255, signed, and 32 bits."""
    values = noise(rng)
    kind = rng.choice(("<f4", "<f2", "<f8", "<i2", "<i1", "<u4"))
    scaled = values / 255 if "f" in kind and rng.random() < 0.5 else values
    bits = 8 * np.dtype(kind).itemsize
    number = {"f": 3, "i": 2, "u": 1}[kind[1]]
    n = rng.choice((1, 3))
    tags = files.tiff_tags(
        (SIDE, SIDE), bits=[bits] * n, photometric=1 if n == 1 else 2, format=number
    )
    pixels = np.repeat(scaled[..., None], n, axis=2).astype(kind)
    return one_page(rng, tags, pixels.tobytes(), order="<"), None, ""
